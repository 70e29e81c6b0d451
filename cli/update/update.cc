#include "cli/update/update.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cli/common/files.h"
#include "cli/common/filter.h"
#include "cli/common/key_io.h"

namespace dynamo::cli {

Result<Updated> Update::run(const std::string& key) {
    key_ = key;
    auto admin = Admin::open(options_);
    if (!admin) {
        return std::unexpected(admin.error());
    }
    const auto ring = admin->ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    auto client = open_coordinator(*ring, key);
    if (!client) {
        return std::unexpected(client.error());
    }
    client_.emplace(std::move(*client));
    return in_turn(*ring);
}

/// All updates of a key go through its first owner that answers, so that tickets stand in the order
/// of their coming. Where two programs find different ones, the read after the put tells.
Result<Client> Update::open_coordinator(const RingView& ring, const std::string& key) {
    Error last{Code::unreachable, "the ring has no nodes"};
    const unsigned partition = ring.partition_of(key);
    std::vector<unsigned> nodes = ring.owners.at(partition);
    std::ranges::copy(ring.fallbacks(partition), std::back_inserter(nodes));
    for (const unsigned node : nodes) {
        ClientOptions options = options_;
        options.seeds = {ring.nodes[node].client_address};
        options.routing = Routing::any;
        auto client = Client::open(options);
        if (!client) {
            return client;
        }
        auto got = client->get(key, {.r = settings_.r});
        const bool away =
            !got && (got.error().code == Code::unreachable || got.error().code == Code::timed_out ||
                     got.error().code == Code::not_joined);
        if (!away) {
            return client;
        }
        last = got.error();
    }
    return std::unexpected(last);
}

void Update::pause() const {
    constexpr std::chrono::milliseconds step{20};
    constexpr std::chrono::milliseconds longest{500};
    std::this_thread::sleep_for(std::min(step * (1u << std::min(retried_, 5u)), longest));
}

/// Of what certainly was not applied.
bool Update::may_retry(const Error& error) {
    if (error.applied != Applied::no || !is_retryable(error.code) ||
        retried_ >= settings_.retries) {
        return false;
    }
    ++retried_;
    pause();
    return true;
}

Result<Got> Update::read() {
    for (;;) {
        auto got = client_->get(key_, {.r = settings_.r});
        if (got || !may_retry(got.error())) {
            return got;
        }
    }
}

/// Reads until there is one value, or what settles several. Another update may be about to.
Result<Got> Update::read_settled() {
    for (;;) {
        auto got = read();
        if (!got || got->values().size() <= 1 || settings_.resolve) {
            return got;
        }
        if (retried_ >= settings_.retries) {
            return fail(Code::conflict,
                        fmt::format("{} siblings, nothing was written; settle them with dyn-merge, "
                                    "or give --resolve",
                                    got->values().size()));
        }
        ++retried_;
        pause();
    }
}

Result<Update::Base> Update::base_of(const Got& got) const {
    Base base;
    for (const Version& version : got.versions) {
        if (!version.tombstone) {
            base.dots.emplace_back(version.birth, version.counter);
        }
    }
    std::ranges::sort(base.dots);
    const auto values = got.values();
    base.absent = values.empty();
    if (values.size() == 1) {
        base.value = values.front()->value;
    } else if (values.size() > 1 && *settings_.resolve == "newest") {
        base.value = newest(values).value;
    } else if (values.size() > 1) {
        const auto scratch = ScratchDirectory::make();
        if (!scratch) {
            return std::unexpected(scratch.error());
        }
        const auto names = write_values(scratch->path(), octets_of(values));
        if (!names) {
            return std::unexpected(names.error());
        }
        auto merged = run_command(settings_.resolve->substr(4), *names);
        if (!merged) {
            return std::unexpected(merged.error());
        }
        base.value = std::move(*merged);
    }
    return base;
}

Result<void> Update::run_command_on(const Base& base) {
    auto result = run_filter(settings_.command, base.value);
    if (!result) {
        return std::unexpected(result.error());
    }
    if (result->empty() && !settings_.allow_empty) {
        return fail(Code::bad_request, fmt::format("'{}' printed nothing (see --allow-empty)",
                                                   settings_.command.front()));
    }
    ++runs_;
    result_ = std::move(*result);
    computed_ = base;
    return {};
}

/// A ticket without a context, the result with it.
Result<ContextToken> Update::write(const ContextToken* context) {
    for (;;) {
        auto stored =
            context
                ? client_->put(key_, result_,
                               {.mode = PutMode::context, .context = *context, .w = settings_.w})
                : client_->del(key_, {.mode = PutMode::blind, .w = settings_.w});
        if (stored) {
            return std::move(stored->context);
        }
        if (!may_retry(stored.error())) {
            return std::unexpected(stored.error());
        }
    }
}

Result<Updated> Update::in_turn(const RingView& ring) {
    UpdateQueue queue(ring, key_, settings_.patience);
    for (;;) {
        const auto got = read_settled();
        if (!got) {
            return std::unexpected(got.error());
        }
        queue.saw(*got, UpdateQueue::Clock::now());
        const auto base = base_of(*got);
        if (!base) {
            return std::unexpected(base.error());
        }
        if (base->absent && settings_.if_present) {
            Updated nothing;
            nothing.absent = true;
            return nothing;
        }
        // Where the last write wins a ticket would be one, and hide the value.
        const bool queued = !ring.last_write_wins;
        const bool computed = computed_ && computed_->dots == base->dots;
        // Before a ticket is taken, so that a command that fails or is slow keeps nobody waiting.
        if (!computed && (!queued || queue.needs_ticket() || queue.is_my_turn())) {
            if (const auto ran = run_command_on(*base); !ran) {
                return std::unexpected(ran.error());
            }
        }
        if (!queued || queue.is_my_turn()) {
            return commit(ring, *got);
        }
        if (queue.needs_ticket()) {
            const auto ticket = write(nullptr);
            if (!ticket) {
                Error error = ticket.error();
                error.applied = Applied::no;
                error.message += "; the value was not touched";
                return std::unexpected(error);
            }
            queue.took(*ticket);
        } else {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
}

Result<Updated> Update::commit(const RingView& ring, const Got& got) {
    const auto context = write(&got.context);
    if (!context) {
        return std::unexpected(context.error());
    }
    Updated done{false, result_, *context, runs_};
    if (ring.last_write_wins) {
        return done;
    }
    const auto after = read();
    if (!after) {
        Error error = after.error();
        error.applied = Applied::yes;
        error.message += "; the update itself is stored, read the key again";
        return std::unexpected(error);
    }
    const auto beside = std::ranges::count_if(after->versions, [&](const Version& version) {
        return !version.tombstone && !ring.covers(key_, *context, version);
    });
    const bool mine_stands = std::ranges::any_of(after->versions, [&](const Version& version) {
        return !version.tombstone && ring.covers(key_, *context, version);
    });
    if (mine_stands && beside > 0) {
        return fail(Code::conflict,
                    "stored, but another value was written at the same time and stands beside it; "
                    "settle them with dyn-merge",
                    Applied::yes);
    }
    return done;
}

}  // namespace dynamo::cli
