#include "daemon/node/repair/upkeep.h"

#include <algorithm>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t most_pairs = 1024;  ///< in a page; those of one partition stay together
constexpr std::size_t slice_rows = 512;
constexpr std::size_t slice_octets = 1u << 20;
/// Less would not be a pace but a stop: whoever wants that stops the daemon.
constexpr std::uint64_t least_rate_by_hand = 1024;
constexpr std::uint64_t most_rate_by_hand = std::uint64_t{1} << 40;

std::uint64_t milliseconds(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Result<void> owns(const Desk& desk, std::uint16_t partition) {
    if (partition < desk.routes.partitions() && desk.routes.is_owner(desk.self(), partition))
        return {};
    return fail(Code::bad_request, "this node does not own partition " + std::to_string(partition));
}

void list_pairs(const Exchange::Pairs& pairs, Instant now, std::uint16_t first,
                wire::RepairReply& reply) {
    for (auto at = pairs.lower_bound({first, NodeId{}}); at != pairs.end(); ++at) {
        const auto& [partition, owner] = at->first;
        if (reply.pairs.size() >= most_pairs && reply.pairs.back().partition != partition) {
            reply.next = partition;
            return;
        }
        const Exchange::Together& together = at->second;
        reply.pairs.push_back({partition, Bytes(owner.bytes()), together.compared,
                               milliseconds(now - together.since), together.differences});
    }
}

/// What one slice of a scrub has seen.
class Slice {
  public:
    Slice(Desk& desk, Objects& objects, const wire::ScrubRequest& request)
        : desk_(desk), objects_(objects), request_(request) {}

    /// False where the next slice begins.
    bool take(BytesView row, BytesView record) {
        if (reply_.records == slice_rows || reply_.octets >= slice_octets) {
            reply_.next = Bytes(row);
            return false;
        }
        ++reply_.records;
        reply_.octets += row.size() + record.size();
        const auto object = object_bytes(row, record);
        if (!object || is_partial(record)) {
            ++reply_.damaged;
            if (request_.hint_for.empty())
                objects_.note_damage({request_.partition, {}, Bytes(row)});
        } else if (!request_.hint_for.empty()) {
            look_at_age(*object);
        }
        return true;
    }

    [[nodiscard]] wire::ScrubReply finish() {
        const Instant now = desk_.now.instant;
        desk_.budget.spend(Budget::Kind::scrub, reply_.records, reply_.octets, now);
        desk_.counters.add("scrub.records", reply_.records);
        desk_.counters.add("scrub.damaged", reply_.damaged);
        reply_.rest_ms = milliseconds(desk_.budget.owed(Budget::Kind::scrub, now));
        return std::move(reply_);
    }

  private:
    void look_at_age(BytesView canonical) {
        const auto object = wire::decode_object(canonical);
        if (!object) return;
        for (const Sibling& sibling : object->siblings)
            if (reply_.oldest_ms == 0 || sibling.wall_ms < reply_.oldest_ms)
                reply_.oldest_ms = sibling.wall_ms;
    }

    Desk& desk_;
    Objects& objects_;
    const wire::ScrubRequest& request_;
    wire::ScrubReply reply_;
};

}  // namespace

wire::RepairReply repair_status(Desk& desk, const Objects& objects, const Exchange& exchange,
                                const Mend& mend, const wire::RepairRequest& request) {
    const Instant now = desk.now.instant;
    const std::uint64_t bound_ms = milliseconds(desk.options.exchange_pass);
    wire::RepairReply reply;
    reply.pass_bound_ms = bound_ms;
    reply.pairs_owed = exchange.pairs().size();
    for (const auto& [pair, together] : exchange.pairs()) {
        const std::uint64_t age_ms = milliseconds(now - together.since);
        if (!together.compared) ++reply.never;
        if (age_ms > bound_ms) ++reply.late;
        reply.oldest_ms = std::max(reply.oldest_ms, age_ms);
    }
    reply.passes = exchange.passes();
    reply.taken = desk.counters.of("exchange.states_taken");
    reply.given = desk.counters.of("exchange.states_given");
    reply.damaged = desk.counters.of("storage.damaged_records");
    reply.mended = desk.counters.of("repairs.of_damage");
    reply.hints_delivered = desk.counters.of("hints.delivered");
    reply.mending = mend.in_progress();
    reply.rebuilding = objects.rebuilding().size();
    for (const NodeId& owner : objects.hint_owners())
        reply.hints.push_back({Bytes(owner.bytes()), objects.hints_held_for(owner)});
    reply.pace = desk.budget.pace(now);
    if (request.pairs) list_pairs(exchange.pairs(), now, request.partition, reply);
    return reply;
}

Result<wire::ThrottleReply> set_throttle(Desk& desk, const wire::ThrottleRequest& request) {
    if (request.rate != 0 &&
        (request.rate < least_rate_by_hand || request.rate > most_rate_by_hand))
        return fail(Code::bad_request, "a rate is from " + std::to_string(least_rate_by_hand) +
                                           " octets a second to " +
                                           std::to_string(most_rate_by_hand));
    desk.budget.fix(request.rate, desk.now.instant);
    desk.log(Severity::info, request.rate == 0
                                 ? "background work follows the latency of requests"
                                 : "background work goes on at " + std::to_string(request.rate) +
                                       " octets a second, by hand");
    return wire::ThrottleReply{desk.budget.pace(desk.now.instant)};
}

Result<wire::ScrubReply> scrub(Desk& desk, Objects& objects, const wire::ScrubRequest& request) {
    Slice slice(desk, objects, request);
    const auto visit = [&](BytesView row, BytesView record) { return slice.take(row, record); };
    if (request.hint_for.empty()) {
        if (const auto owned = owns(desk, request.partition); !owned)
            return std::unexpected(owned.error());
        if (const auto read = objects.scan_objects(request.partition, request.first, visit); !read)
            return std::unexpected(read.error());
    } else {
        const NodeId owner = NodeId::from(request.hint_for);
        if (owner.is_none()) return fail(Code::bad_request, "hint_for is no node's id");
        if (const auto read = objects.scan_hints(owner, request.first, visit); !read)
            return std::unexpected(read.error());
    }
    return slice.finish();
}

Result<wire::CheckReply> check_tree(Desk& desk, Objects& objects,
                                    const wire::CheckRequest& request) {
    if (const auto owned = owns(desk, request.partition); !owned)
        return std::unexpected(owned.error());
    const auto checked = objects.trees().check(request.partition);
    if (!checked) return wire::CheckReply{};
    return wire::CheckReply{true, checked->right, checked->records};
}

}  // namespace dynamo
