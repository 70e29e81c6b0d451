#include "tests/sim/workload.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "tests/sim/answers.h"
#include "tests/sim/describe.h"

namespace dynamo::sim {
namespace {

constexpr std::uint64_t resent = 1'000'000;  ///< added to the number of an operation sent again

std::string_view op_name(Operation::Kind kind) {
    constexpr std::array<std::string_view, 5> names = {"get", "put", "del", "state", "merge"};
    return names[static_cast<std::size_t>(kind)];
}

Operation draw_operation(const Setup& setup, std::uint64_t number, Random random) {
    Operation operation;
    operation.number = number;
    operation.at = Duration(
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(setup.chaos.count()))));
    operation.session = static_cast<unsigned>(random.below(setup.sessions));
    operation.key = "k" + std::to_string(random.below(setup.keys));
    const Mix& mix = setup.mix;
    const std::uint64_t total = std::uint64_t{mix.get} + mix.put_context + mix.put_observe +
                                mix.put_blind + mix.remove + mix.backup + mix.restore;
    std::uint64_t drawn = random.below(total);
    const auto within = [&](unsigned share) {
        if (drawn < share) return true;
        drawn -= share;
        return false;
    };
    constexpr std::array<PutMode, 3> modes = {PutMode::context, PutMode::observe, PutMode::blind};
    const PutMode remove_mode = modes[random.below(3)];
    operation.kind = Operation::Kind::put;
    if (within(mix.get)) {
        operation.kind = Operation::Kind::get;
    } else if (within(mix.put_context)) {
        operation.mode = PutMode::context;
    } else if (within(mix.put_observe)) {
        operation.mode = PutMode::observe;
    } else if (within(mix.put_blind)) {
        operation.mode = PutMode::blind;
    } else if (within(mix.backup)) {
        operation.kind = Operation::Kind::backup;
    } else if (within(mix.restore)) {
        operation.kind = Operation::Kind::restore;
    } else {
        operation.kind = Operation::Kind::remove;
        operation.mode = remove_mode;
    }
    operation.overwrite = random.below(100) < mix.overwrite_percent;
    if (setup.vary_quorums) {
        operation.r = static_cast<std::uint32_t>(random.below(setup.copies + 1));
        operation.w = static_cast<std::uint32_t>(random.below(setup.copies + 1));
        operation.observe_r = static_cast<std::uint32_t>(random.below(setup.copies + 1));
    }
    operation.via = static_cast<unsigned>(random.below(64));
    operation.any_node = random.chance(0.25);
    operation.resend = random.chance(0.1);
    operation.padding = random.below(100) < setup.large_percent ? 3000 + random.below(20000) : 0;
    operation.timeout = Duration(random.chance(0.3) ? 600'000 : 2'000'000);
    return operation;
}

}  // namespace

std::string_view name_of(Status status) {
    constexpr std::array<std::string_view, 5> names = {"planned", "sent", "ok", "failed",
                                                       "unknown"};
    return names[static_cast<std::size_t>(status)];
}

std::vector<Operation> plan_operations(const Setup& setup) {
    const Chance chance(setup.seed);
    std::vector<Operation> plan;
    for (std::uint64_t number = 1; number <= setup.operations; ++number)
        plan.push_back(draw_operation(setup, number, chance.at(Stream::workload, number)));
    return plan;
}

Workload::Workload(World& world, Cluster& cluster) : world_(world), cluster_(cluster) {
    cluster.listen(
        {[this](unsigned node, ClientHandle client, const wire::Reply& reply) {
             leaves(node, client, reply);
         },
         [this](unsigned client, const wire::Frames& frames) { arrives(client, frames); },
         [this](unsigned client, unsigned, const wire::Frames& frames) {
             refused(client, frames);
         }});
}

void Workload::schedule(const Operation& operation) {
    world_.timeline.after(operation.at, [this, operation] { begin(operation); });
}

std::optional<unsigned> Workload::choose_node(const Operation& operation) {
    if (operation.node) return operation.node;
    std::vector<unsigned> candidates = cluster_.owners(operation.key);
    if (operation.any_node) {
        candidates.clear();
        for (unsigned i = 0; i < cluster_.size(); ++i) candidates.push_back(i);
    }
    // Like the client library: where nobody listens, the next one is asked.
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const unsigned node = candidates[(operation.via + i) % candidates.size()];
        if (!cluster_.process(node).refuses()) return node;
    }
    return std::nullopt;
}

wire::ClientRequest Workload::request_of(LogEntry& entry) {
    const Operation& operation = entry.operation;
    if (operation.kind == Operation::Kind::get)
        return wire::GetRequest{operation.key, operation.r, true};
    if (operation.kind == Operation::Kind::restore && entry.state.empty()) {
        const Memory& memory = memories_[{operation.session, operation.key}];
        entry.state = memory.kept;
        entry.fence = memory.kept_at;
        if (entry.state.empty()) entry.operation.kind = Operation::Kind::backup;
    }
    if (operation.kind == Operation::Kind::backup)
        return wire::StateRequest{operation.key, operation.r};
    if (operation.kind == Operation::Kind::restore)
        return wire::MergeRequest{operation.key, entry.state, operation.w, entry.fence};
    if (operation.mode == PutMode::context && operation.number < resent) {
        const Memory& memory = memories_[{operation.session, operation.key}];
        entry.seen = memory.seen;
        entry.token = memory.token;
    }
    if (operation.kind == Operation::Kind::remove)
        return wire::DelRequest{operation.key, operation.mode, entry.token, operation.w,
                                operation.observe_r};
    if (entry.value.empty())
        entry.value = "v" + std::to_string(operation.number) + Bytes(operation.padding, '.');
    wire::PutRequest put;
    put.key = operation.key;
    put.value = entry.value;
    put.mode = operation.mode;
    put.context = entry.token;
    put.w = operation.w;
    put.observe_r = operation.observe_r;
    put.overwrite = operation.overwrite;
    return put;
}

void Workload::begin(const Operation& operation, const Bytes& value) {
    LogEntry& entry = log_[operation.number];
    if (entry.status != Status::planned) return;
    entry.operation = operation;
    if (!value.empty()) entry.value = value;
    const auto node = choose_node(operation);
    if (!node) {
        entry.status = Status::failed;
        entry.told = "no node is up";
        return;
    }
    entry.asked = *node;
    world_.trace.fold(folded::operation, operation.number, *node);
    const auto& all = world_.ledger.writes(operation.key);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].acknowledged) {
            entry.required[all[i].owners].add(i);
            if (all[i].strict) entry.strict.add(i);
        }
    if (world_.setup.ring_changes > 0)
        entry.strict.add(on_every_list(world_, cluster_, operation.key));
    wire::ClientRequest body = request_of(entry);
    if (entry.operation.kind == Operation::Kind::put)
        world_.ledger.expect({operation.key, entry.value, !operation.resend,
                              operation.mode == PutMode::observe || world_.setup.last_write_wins,
                              entry.seen});
    entry.status = Status::sent;
    ++in_flight_;
    ++world_.waiting[operation.key];
    cluster_.ask(first_session + operation.session, *node,
                 {operation.number, operation.timeout, {}, std::move(body)});
    // The client waits a little longer than the daemon, which answers at the deadline.
    world_.timeline.after(operation.timeout + std::chrono::milliseconds(300),
                          [this, number = operation.number] { give_up(number); });
}

void Workload::conclude(LogEntry& entry, Status status) {
    if (entry.status != Status::sent) return;
    entry.status = status;
    --in_flight_;
    --world_.waiting[entry.operation.key];
    const Operation& operation = entry.operation;
    const bool may_resend =
        operation.kind == Operation::Kind::put || operation.kind == Operation::Kind::restore;
    if (status != Status::unknown || !operation.resend || !may_resend || operation.number > resent)
        return;
    // Told to, a client sends again; the second write has the same value and the same context.
    Operation again = operation;
    again.number += resent;
    LogEntry& second = log_[again.number];
    second.value = entry.value;
    second.token = entry.token;
    second.state = entry.state;
    second.fence = entry.fence;
    second.seen = entry.seen;
    begin(again);
}

void Workload::give_up(std::uint64_t number) { conclude(log_.at(number), Status::unknown); }

void Workload::leaves(unsigned node, ClientHandle, const wire::Reply& reply) {
    const auto at = log_.find(reply.id);
    if (at == log_.end()) return;
    LogEntry& entry = at->second;
    entry.asked = node;
    entry.answered_in = reply.ring;
    if (const auto* error = std::get_if<wire::ErrorReply>(&reply.body)) {
        if (error->code == static_cast<std::uint16_t>(Code::conflict))
            world_.marks.hit(Mark::conflict_answered);
        check_failed(world_, entry, *error);
    } else if (const auto* got = std::get_if<wire::GetReply>(&reply.body)) {
        check_got(world_, cluster_, entry, *got);
        entry.saw_every_list = sees_every_list(entry, *got);
    } else if (const auto* put = std::get_if<wire::PutReply>(&reply.body)) {
        check_stored(world_, cluster_, entry, put->context, put->existed);
    } else if (const auto* del = std::get_if<wire::DelReply>(&reply.body)) {
        check_stored(world_, cluster_, entry, del->context, del->existed);
    } else if (const auto* state = std::get_if<wire::StateReply>(&reply.body)) {
        check_state_read(world_, entry, state->state);
    } else if (std::holds_alternative<wire::MergeReply>(reply.body)) {
        check_merged(world_, cluster_, entry);
    }
}

/// Whether an answered get is R owners of each list, for nobody stood in for one.
bool Workload::sees_every_list(const LogEntry& entry, const wire::GetReply& reply) const {
    const Setup& setup = world_.setup;
    if (setup.ring_changes == 0 || setup.r + setup.w <= setup.copies) return false;
    if (entry.operation.r != 0 && entry.operation.r < setup.r) return false;
    return std::ranges::none_of(reply.trace, [](const wire::TraceStep& step) {
        return step.what.find("stand-in") != std::string::npos;
    });
}

/// The same while the ring changes: a read from R owners of each list sees a write to W owners of
/// each list, however many changes lie between the two.
void Workload::check_across_change(const LogEntry& entry) {
    if (!entry.saw_every_list) return;
    const Bytes& key = entry.operation.key;
    WriteSet missing = entry.strict;
    if (!missing.empty()) world_.marks.hit(Mark::read_begun_again);
    missing.remove(entry.told_of);
    missing.remove(world_.ledger.purged(key));
    if (!missing.empty())
        world_.verdict.fail(rule::session, key,
                            "operation " + std::to_string(entry.operation.number) +
                                ", answered by R owners of each list, does not see " +
                                world_.ledger.show(key, missing) +
                                ", which W owners of each list held before it began");
}

/// Invariant 7, whatever else goes on: where more owners answered than did not hold a write when it
/// was acknowledged, one of them tells of it. A copy that was put back as it was some time ago
/// knows nothing of that, and power loss takes what `os` has not synced.
void Workload::check_session(const LogEntry& entry, const wire::GetReply& reply) {
    const Setup& setup = world_.setup;
    if (setup.ring_changes > 0) return check_across_change(entry);
    if (setup.has(Fault::roll_back) ||
        (setup.has(Fault::power) && setup.durability == Durability::os))
        return;
    const Bytes& key = entry.operation.key;
    const std::vector<unsigned> owners = cluster_.owners(key);
    std::set<unsigned> answered;
    std::size_t owners_answered = 0;
    for (const wire::TraceStep& step : reply.trace) {
        if (!step.what.starts_with("read answered")) continue;
        const unsigned node = cluster_.index_of(NodeId::from(step.node));
        if (answered.insert(node).second)
            owners_answered += std::ranges::find(owners, node) != owners.end();
    }
    const unsigned r = entry.operation.r == 0 ? setup.r : entry.operation.r;
    if (answered.size() < r)
        world_.verdict.fail(rule::session, key,
                            "operation " + std::to_string(entry.operation.number) + " asked for " +
                                std::to_string(r) + " answers and had " +
                                std::to_string(answered.size()));
    for (const auto& [held_by, writes] : entry.required) {
        if (held_by < setup.w || held_by + owners_answered <= owners.size()) continue;
        world_.marks.hit(Mark::acknowledged_write_read_back);
        WriteSet missing = writes;
        missing.remove(entry.told_of);
        missing.remove(world_.ledger.purged(key));
        if (!missing.empty())
            world_.verdict.fail(rule::session, key,
                                "operation " + std::to_string(entry.operation.number) +
                                    ", answered by " + std::to_string(owners_answered) +
                                    " owners, does not see " + world_.ledger.show(key, missing) +
                                    ", acknowledged before it began when " +
                                    std::to_string(held_by) + " owners held it");
    }
}

void Workload::arrives(unsigned client, const wire::Frames& frames) {
    const auto replies =
        wire::decode_replies(frames.header, frames.body, [&](std::uint64_t id) -> std::string_view {
            const auto at = log_.find(id);
            return at == log_.end() ? std::string_view{} : op_name(at->second.operation.kind);
        });
    if (!replies)
        return world_.verdict.fail(rule::answered, {},
                                   "a reply is no reply: " + replies.error().message);
    for (const wire::Reply& reply : *replies) {
        LogEntry& entry = log_.at(reply.id);
        if (world_.trace.wordy())
            world_.say("client " + std::to_string(client) + " <- " + describe(reply));
        if (entry.status != Status::sent) continue;  // it has given up already
        const auto remember = [&](const Bytes& token) {
            Memory& memory = memories_[{entry.operation.session, entry.operation.key}];
            memory.token = token;
            memory.seen = token_set(world_, cluster_, entry.operation.key, token);
        };
        Status status = Status::ok;
        if (const auto* error = std::get_if<wire::ErrorReply>(&reply.body)) {
            status = error->applied == "no" ? Status::failed : Status::unknown;
        } else if (const auto* got = std::get_if<wire::GetReply>(&reply.body)) {
            remember(got->context);
            check_session(entry, *got);
        } else if (const auto* put = std::get_if<wire::PutReply>(&reply.body)) {
            remember(put->context);
        } else if (const auto* del = std::get_if<wire::DelReply>(&reply.body)) {
            remember(del->context);
        } else if (const auto* state = std::get_if<wire::StateReply>(&reply.body)) {
            Memory& memory = memories_[{entry.operation.session, entry.operation.key}];
            memory.kept = state->state;
            memory.kept_at = state->fence;
        }
        conclude(entry, status);
    }
}

void Workload::refused(unsigned, const wire::Frames& frames) {
    bool batched = false;
    const auto requests = wire::decode_requests(frames.header, frames.body, {}, batched);
    if (!requests) return;
    for (const auto& request : *requests) {
        const auto* whole = std::get_if<wire::Request>(&request);
        if (!whole || !log_.contains(whole->id)) continue;
        LogEntry& entry = log_.at(whole->id);
        entry.told = "connection refused";
        if (entry.operation.kind == Operation::Kind::put && !entry.operation.resend)
            world_.ledger.rule_out(entry.value);
        conclude(entry, Status::failed);
    }
}

}  // namespace dynamo::sim
