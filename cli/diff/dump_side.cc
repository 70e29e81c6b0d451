#include "cli/diff/dump_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/common/key_pages.h"
#include "dynamo/state.h"

namespace dynamo::cli {
namespace {

constexpr std::size_t position_digits = 16;

}  // namespace

DumpSide::Place DumpSide::place_of(const std::string& key) {
    return {RingView::position_of(key).substr(0, position_digits), key};
}

/// A dump of a part says nothing of the rest.
Result<void> DumpSide::narrow(const DumpInput& input) {
    const DumpHead& head = *input.head();
    if (head.partition && head.partitions != ring_.partitions) {
        return fail(Code::bad_request,
                    fmt::format("the dump is of one partition of {}, and this ring has {}",
                                head.partitions, ring_.partitions));
    }
    if (head.partition && scope_.partition && *head.partition != *scope_.partition) {
        return fail(Code::bad_request,
                    fmt::format("the dump is of partition {} only", *head.partition));
    }
    if (head.partition) {
        scope_.partition = head.partition;
    }
    const bool narrower = scope_.prefix.starts_with(head.prefix);
    if (!narrower && !head.prefix.starts_with(scope_.prefix)) {
        return fail(Code::bad_request, "no key of the dump begins with the prefix");
    }
    if (!narrower) {
        scope_.prefix = head.prefix;
    }
    return {};
}

bool DumpSide::covers(unsigned partition) const {
    if (scope_.partition && *scope_.partition != partition) {
        return false;
    }
    const auto& owners = ring_.owners[partition];
    return !scope_.node || std::ranges::any_of(owners, [&](unsigned owner) {
        return ring_.nodes[owner].id == scope_.node->id;
    });
}

/// To the next record that begins with the prefix.
Result<void> DumpSide::advance(DumpInput& input) {
    do {
        auto next = input.next_one();
        if (!next) {
            return std::unexpected(next.error());
        }
        record_ = std::move(*next);
    } while (record_ && !record_->key.starts_with(scope_.prefix));
    progress_.show(compared_, 0, input.source().share_read());
    return {};
}

Result<HeldCopy> DumpSide::held(const std::string& key) {
    if (!scope_.node) {
        const auto state = client_.state(key);
        return state ? copy_of(ring_, key, *state) : std::unexpected(state.error());
    }
    auto held = admin_.peek_at(scope_.node->client_address, key);
    if (!held) {
        return std::unexpected(held.error());
    }
    const auto own = std::ranges::find_if(
        held->copies, [](const HeldCopy& copy) { return copy.hint_for.empty(); });
    return own == held->copies.end() ? HeldCopy{} : std::move(*own);
}

Result<void> DumpSide::look(const std::string& key, const KeyState& dumped, const Told& told) {
    auto first = copy_of(ring_, key, dumped);
    if (!first) {
        return std::unexpected(first.error());
    }
    auto second = held(key);
    if (!second) {
        return std::unexpected(second.error());
    }
    if (first->digest == second->digest && !second->damaged) {
        return {};
    }
    const auto kind = kind_of(ring_, key, *first, *second);
    progress_.clear();
    return told({key, ring_.partition_of(key), kind, std::move(*first), std::move(*second)});
}

/// The record that is next, which the other side does not list.
Result<void> DumpSide::take_record(DumpInput& input, const Told& told) {
    if (covers(ring_.partition_of(record_->key))) {
        ++compared_;
        if (const auto looked = look(record_->key, record_->state, told); !looked) {
            return looked;
        }
    }
    return advance(input);
}

Result<void> DumpSide::compare_page(DumpInput& input, const KeyPage& page, const Told& told) {
    for (const KeyInfo& info : page.keys) {
        const Place place = place_of(info.key);
        while (record_ && place_of(record_->key) < place) {
            if (const auto taken = take_record(input, told); !taken) {
                return taken;
            }
        }
        if (interrupted()) {
            return {};
        }
        ++compared_;
        const bool dumped = record_ && record_->key == info.key;
        const KeyState state = dumped ? std::exchange(record_->state, {}) : KeyState{};
        if (dumped) {
            if (const auto advanced = advance(input); !advanced) {
                return advanced;
            }
        }
        // The same digest, the same state: most keys need no more than that.
        const auto same = [&] {
            const auto copy = copy_of(ring_, info.key, state);
            return copy && !copy->digest.empty() && copy->digest == info.digest;
        };
        if (same()) {
            continue;
        }
        if (const auto looked = look(info.key, state, told); !looked) {
            return looked;
        }
    }
    return {};
}

Result<void> DumpSide::compare_partition(DumpInput& input, unsigned partition, const Told& told) {
    KeyQuery query;
    query.partition = partition;
    query.prefix = scope_.prefix;
    query.node = scope_.node ? scope_.node->client_address : "";
    KeyPages pages(query, 0);
    while (!pages.at_end() && !interrupted()) {
        const auto page = pages.next(client_, SIZE_MAX);
        if (!page) {
            return std::unexpected(page.error());
        }
        if (const auto compared = compare_page(input, *page, told); !compared) {
            return compared;
        }
    }
    return {};
}

Result<void> DumpSide::compare(DumpInput& input, const Told& told) {
    // The head comes with the first record.
    auto first = input.next_one();
    if (!first) {
        return std::unexpected(first.error());
    }
    if (!input.head()) {
        return {};
    }
    if (const auto narrowed = narrow(input); !narrowed) {
        return narrowed;
    }
    record_ = std::move(*first);
    if (record_ && !record_->key.starts_with(scope_.prefix)) {
        if (const auto advanced = advance(input); !advanced) {
            return advanced;
        }
    }
    Result<void> went;
    for (unsigned partition = 0; partition < ring_.partitions && went && !interrupted();
         ++partition) {
        if (covers(partition)) {
            went = compare_partition(input, partition, told);
        }
    }
    while (went && record_ && !interrupted()) {
        went = take_record(input, told);
    }
    progress_.clear();
    return went;
}

}  // namespace dynamo::cli
