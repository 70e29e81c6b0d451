// The part of Admin that begins jobs and steers them.
#include "dynamo/jobs.h"

#include <utility>

#include "libdynamo/client/upkeep_ask.h"
#include "libdynamo/ring/partition_set.h"

namespace dynamo {
namespace {

JobShare to_share(wire::JobShare&& share) {
    JobShare out{std::move(share.id),
                 std::move(share.scope),
                 share.began_ms,
                 {share.rate, share.pause_us, share.from_minute, share.to_minute},
                 static_cast<JobState>(share.state),
                 static_cast<JobWaits>(share.waits),
                 share.pairs,
                 share.compared,
                 share.different,
                 share.octets,
                 {}};
    for (const Bytes& owner : share.away) out.away.push_back(to_hex(owner));
    return out;
}

}  // namespace

std::string_view name_of(JobState state) {
    switch (state) {
        case JobState::running:
            return "running";
        case JobState::paused:
            return "paused";
        case JobState::done:
            return "done";
        case JobState::cancelled:
            break;
    }
    return "cancelled";
}

Result<JobShare> Admin::begin_job_at(const std::string& address, const NewJob& job,
                                     unsigned partitions) {
    wire::JobRequest request;
    request.partitions.assign(set_octets(static_cast<std::uint16_t>(partitions)), '\0');
    for (const unsigned partition : job.partitions) {
        if (partition >= partitions)
            return fail(Code::bad_request, "there is no partition " + std::to_string(partition));
        put_in(request.partitions, static_cast<std::uint16_t>(partition));
    }
    request.id = job.id;
    request.scope = job.scope;
    request.began_ms = job.began_ms;
    request.rate = job.terms.rate;
    request.pause_us = job.terms.pause_us;
    request.from_minute = static_cast<std::uint16_t>(job.terms.from_minute);
    request.to_minute = static_cast<std::uint16_t>(job.terms.to_minute);
    auto reply = Upkeep::ask<wire::JobReply>(*this, address, std::move(request));
    if (!reply) return std::unexpected(reply.error());
    return to_share(std::move(reply->share));
}

Result<JobShare> Admin::steer_job_at(const std::string& address, const std::string& id,
                                     JobStep step) {
    wire::JobRequest request;
    request.id = id;
    request.action = step == JobStep::pause    ? wire::JobAction::pause
                     : step == JobStep::resume ? wire::JobAction::resume
                                               : wire::JobAction::cancel;
    auto reply = Upkeep::ask<wire::JobReply>(*this, address, std::move(request));
    if (!reply) return std::unexpected(reply.error());
    return to_share(std::move(reply->share));
}

Result<std::vector<JobShare>> Admin::jobs_at(const std::string& address) {
    auto reply = Upkeep::ask<wire::JobsReply>(*this, address, wire::JobsRequest{});
    if (!reply) return std::unexpected(reply.error());
    std::vector<JobShare> shares;
    for (wire::JobShare& share : reply->shares) shares.push_back(to_share(std::move(share)));
    return shares;
}

}  // namespace dynamo
