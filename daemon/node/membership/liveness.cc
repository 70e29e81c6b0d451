#include "daemon/node/membership/liveness.h"

#include <algorithm>

namespace dynamo {

bool Liveness::healthy(const NodeId& node) const {
    const auto at = peers_.find(node);
    return at == peers_.end() || !at->second.suspected;
}

bool Liveness::heard(const NodeId& node) {
    Peer* const known = peer(node);
    if (!known) return false;
    known->ever_heard = true;
    known->last_heard = desk_.now.instant;
    if (!known->suspected) return false;
    known->suspected = false;
    desk_.log(Severity::info, desk_.name_of(node) + " answers again");
    return true;
}

bool Liveness::silent_since(const NodeId& node, Instant asked) {
    Peer* const known = peer(node);
    if (!known) return false;
    // It spoke after it was asked, so it lives; the question or its answer was lost, or is slow.
    if (known->ever_heard && known->last_heard > asked) return known->suspected;
    suspect(node, *known, "does not answer");
    return true;
}

void Liveness::unreachable(const NodeId& node) {
    if (Peer* const known = peer(node)) suspect(node, *known, "cannot be reached");
}

std::int64_t Liveness::silence_us(const NodeId& node) const {
    const auto at = peers_.find(node);
    if (at == peers_.end() || !at->second.ever_heard) return -1;
    return (desk_.now.instant - at->second.last_heard).count();
}

std::uint64_t Liveness::run_of(const NodeId& node) const {
    const auto at = peers_.find(node);
    return at == peers_.end() ? 0 : at->second.run;
}

void Liveness::set_run(const NodeId& node, std::uint64_t run) {
    if (Peer* const known = peer(node)) known->run = run;
}

void Liveness::tick() {
    std::erase_if(peers_, [&](const auto& entry) { return !desk_.routes.find(entry.first); });
    // Who has left the ring waits for nobody.
    if (!desk_.routes.find(desk_.self())) peers_.clear();
    for (auto& [node, known] : peers_) {
        if (!known.suspected || known.next_probe > desk_.now.instant) continue;
        known.next_probe = desk_.now.instant + desk_.options.probe_interval;
        desk_.send(node, wire::Ping{desk_.next_id()});
        desk_.counters.add("liveness.probes");
    }
}

Instant Liveness::wake_at() const {
    Instant wake = Instant::max();
    for (const auto& [node, known] : peers_)
        if (known.suspected) wake = std::min(wake, known.next_probe);
    return wake;
}

Liveness::Peer* Liveness::peer(const NodeId& node) {
    if (node == desk_.self() || !desk_.routes.find(node)) return nullptr;
    return &peers_[node];
}

void Liveness::suspect(const NodeId& node, Peer& known, const char* why) {
    if (known.suspected) return;
    known.suspected = true;
    known.next_probe = desk_.now.instant + desk_.options.probe_interval;
    desk_.counters.add("liveness.suspicions");
    desk_.log(Severity::warning,
              desk_.name_of(node) + " " + why + "; others stand in for it until it is heard again");
}

}  // namespace dynamo
