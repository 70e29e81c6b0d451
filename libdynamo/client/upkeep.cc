// The part of Admin that looks after a node's background work.
#include "dynamo/upkeep.h"

#include <algorithm>
#include <utility>

#include "libdynamo/client/upkeep_ask.h"

namespace dynamo {
namespace {

BackgroundPace to_pace(const wire::Pace& pace) {
    return {pace.rate, pace.fixed, pace.idle, pace.p99_us, pace.target_us};
}

UpkeepStatus to_status(const wire::RepairReply& reply) {
    UpkeepStatus status{reply.pass_bound_ms,   reply.pairs_owed,
                        reply.never,           reply.late,
                        reply.oldest_ms,       reply.passes,
                        reply.taken,           reply.given,
                        reply.damaged,         reply.mended,
                        reply.hints_delivered, reply.mending,
                        reply.rebuilding,      {},
                        to_pace(reply.pace),   {}};
    for (const wire::HintCount& held : reply.hints)
        status.hints.push_back({to_hex(held.node_id), held.hints});
    return status;
}

}  // namespace

Result<UpkeepStatus> Admin::upkeep_at(const std::string& address, bool pairs) {
    wire::RepairRequest request{pairs, 0};
    std::optional<UpkeepStatus> status;
    for (;;) {
        const auto reply = Upkeep::ask<wire::RepairReply>(*this, address, request);
        if (!reply) return std::unexpected(reply.error());
        if (!status) status = to_status(*reply);
        for (const wire::PairStatus& pair : reply->pairs)
            status->pairs.push_back({pair.partition, to_hex(pair.node_id), pair.compared,
                                     pair.age_ms, pair.differences});
        if (reply->next <= request.partition) return std::move(*status);
        request.partition = static_cast<std::uint16_t>(reply->next);
    }
}

Result<BackgroundPace> Admin::throttle_at(const std::string& address, std::uint64_t rate) {
    const auto reply =
        Upkeep::ask<wire::ThrottleReply>(*this, address, wire::ThrottleRequest{rate});
    if (!reply) return std::unexpected(reply.error());
    return to_pace(reply->pace);
}

Result<std::uint64_t> Admin::flush_hints_at(const std::string& address) {
    const auto reply = Upkeep::ask<wire::FlushReply>(*this, address, wire::FlushRequest{});
    if (!reply) return std::unexpected(reply.error());
    return reply->hints;
}

Result<PurgeStatus> Admin::purge_at(const std::string& address, bool now, std::uint64_t number) {
    wire::GcRequest request{now, number, {}};
    PurgeStatus status;
    for (;;) {
        auto page = Upkeep::ask<wire::GcReply>(*this, address, request);
        if (!page) return std::unexpected(page.error());
        status.fence = page->fence;
        status.records += page->records;
        status.due += page->due;
        status.needed = std::max(status.needed, page->needed);
        status.reduced = page->reduced;
        if (request.first.empty()) status.next_ms = page->next_ms;
        for (const wire::GcWait& wait : page->waits)
            status.waits.push_back({wait.reason, to_hex(wait.node_id), wait.number});
        // The fence may have gone on since, and the pages are to count by one number.
        if (request.number == 0) request.number = page->fence;
        request.now = false;
        if (page->next <= request.first) return status;
        request.first = std::move(page->next);
    }
}

Result<ScrubSlice> Admin::scrub_at(const std::string& address, ScrubPlace& place) {
    wire::ScrubRequest request{static_cast<std::uint16_t>(place.partition), {}, place.next};
    if (!place.hints_for.empty() && !from_hex(place.hints_for, request.hint_for))
        return fail(Code::bad_request, "'" + place.hints_for + "' is no node's id");
    auto reply = Upkeep::ask<wire::ScrubReply>(*this, address, std::move(request));
    if (!reply) return std::unexpected(reply.error());
    place.next = std::move(reply->next);
    return ScrubSlice{reply->records,   reply->octets,  reply->damaged,
                      reply->oldest_ms, reply->rest_ms, place.next.empty()};
}

Result<std::optional<TreeCheck>> Admin::check_tree_at(const std::string& address,
                                                      unsigned partition) {
    const auto reply = Upkeep::ask<wire::CheckReply>(
        *this, address, wire::CheckRequest{static_cast<std::uint16_t>(partition)});
    if (!reply) return std::unexpected(reply.error());
    if (!reply->done) return std::nullopt;
    return TreeCheck{reply->right, reply->records};
}

Result<bool> Admin::build_tree_at(const std::string& address, unsigned partition, bool anew) {
    const auto reply = Upkeep::ask<wire::TreeNodesReply>(
        *this, address, wire::TreeRequest{static_cast<std::uint16_t>(partition), 0, {0}, 0, anew});
    if (!reply) return std::unexpected(reply.error());
    return reply->complete;
}

}  // namespace dynamo
