#include "daemon/node/repair/mend.h"

#include <algorithm>
#include <utility>

#include "daemon/node/repair/learn.h"
#include "libdynamo/base/quote.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t max_jobs = 64;
/// After so many time-outs of a replica, those that have not answered are asked again.
constexpr int intervals_of_silence = 2;

}  // namespace

Mend::Mend(Desk& desk, Objects& objects, Liveness& liveness)
    : desk_(desk), objects_(objects), liveness_(liveness) {}

void Mend::on_ring() {
    jobs_.clear();
    rows_.clear();
}

void Mend::tick() {
    ask_again();
    for (Slot& slot : objects_.take_damaged())
        if (jobs_.size() < max_jobs && !rows_.contains(slot.row) &&
            desk_.routes.serves(desk_.self(), slot.partition))
            begin(std::move(slot));
}

Instant Mend::wake_at() const {
    if (objects_.has_damage_noted()) return {};
    Instant wake = Instant::max();
    for (const auto& [id, job] : jobs_)
        wake = std::min(wake, job.asked + intervals_of_silence * desk_.options.replica_timeout);
    return wake;
}

void Mend::begin(Slot slot) {
    if (!std::exchange(told_, true))
        desk_.log(Severity::error, "the record of key " + quote(slot.key()) +
                                       " is damaged; it is fetched from its other owners (the "
                                       "next ones are only counted: storage.damaged_records, "
                                       "repairs.of_damage)");
    // Of the only copy nothing is left to be fetched. It stays what it is, an error and not an
    // absent key, until somebody puts the key anew.
    if (desk_.routes.serving(slot.partition).size() == 1 && !objects_.read(slot))
        return objects_.forget_damage(slot);
    rows_.insert(slot.row);
    const std::uint64_t id = desk_.next_id();
    Job& job = jobs_[id];
    job.slot = std::move(slot);
    ask(id, job);
    if (is_enough(job)) finish(jobs_.find(id));
}

void Mend::ask(std::uint64_t id, Job& job) {
    job.asked = desk_.now.instant;
    for (const NodeId& owner : desk_.routes.serving(job.slot.partition))
        if (owner != desk_.self() && !job.answered.contains(owner) && liveness_.healthy(owner))
            desk_.send(owner, wire::ReadRequest{id, Bytes(job.slot.key()), {}});
}

void Mend::ask_again() {
    for (auto& [id, job] : jobs_)
        if (job.asked + intervals_of_silence * desk_.options.replica_timeout <= desk_.now.instant)
            ask(id, job);
}

bool Mend::is_enough(const Job& job) const {
    return is_learnt(desk_, job.slot.partition, job.whole, job.answered,
                     desk_.breaks(Mutant::mended_from_one));
}

bool Mend::on(const NodeId& from, const wire::ReadReply& reply) {
    const auto at = jobs_.find(reply.id);
    if (at == jobs_.end()) return false;
    Job& job = at->second;
    if (!desk_.routes.serves(from, job.slot.partition)) return true;
    // Who was put back as it was some time ago knows too little, and some things that are gone.
    if (reply.fence + 1 < desk_.fence.number() && !desk_.breaks(Mutant::old_states_taken))
        return true;
    const bool whole = reply.status == wire::PeerStatusCode::ok;
    if (!whole && reply.status != wire::PeerStatusCode::not_ready) return true;
    if (!reply.object.empty()) {
        const auto object = wire::decode_object(reply.object);
        if (!object) {
            desk_.counters.add("peers.malformed");
            return true;
        }
        merge(job.joined, *object);
        job.stamp = std::min(job.stamp, reply.fence);
    }
    if (!job.answered.insert(from).second) return true;
    if (whole) job.whole.insert(from);
    if (is_enough(job)) finish(at);
    return true;
}

void Mend::finish(std::map<std::uint64_t, Job>::iterator at) {
    const Job job = std::move(at->second);
    jobs_.erase(at);
    rows_.erase(job.slot.row);
    if (!job.joined.empty() && !desk_.takes(job.stamp)) {
        objects_.note_damage(job.slot);
        return;
    }
    if (const auto mended = objects_.mend(job.slot, job.joined); !mended) {
        desk_.log(Severity::error, "a damaged record cannot be mended: " + mended.error().message);
        objects_.note_damage(job.slot);
        return;
    }
    if (job.joined.empty())
        desk_.log(Severity::error, "nobody else holds anything of key " + quote(job.slot.key()) +
                                       ", whose record was damaged: what it was is lost");
    desk_.counters.add("repairs.of_damage");
}

}  // namespace dynamo
