#include "cli/ring/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace dynamo::cli {
namespace {

/// The name of a member by its id; the id itself for one that the ring no longer has.
std::string name_by_id(const RingView& ring, const std::string& id) {
    const auto found = std::ranges::find(ring.nodes, id, &NodeInfo::id);
    return found == ring.nodes.end() ? id.substr(0, 8) : found->name;
}

void count_shares(const RingView& ring, std::vector<MemberReport>& members) {
    std::size_t copies = 0;
    for (const auto& list : ring.owners) {
        copies += list.size();
        for (const unsigned owner : list) {
            ++members[owner].partitions;
        }
    }
    for (MemberReport& member : members) {
        member.share =
            copies == 0 ? 0 : static_cast<double>(member.partitions) / static_cast<double>(copies);
    }
}

/// What the members say of each other: the shortest silence counts.
void note_silences(std::vector<MemberReport>& members) {
    std::map<std::string, std::int64_t> shortest;
    for (const MemberReport& member : members) {
        if (!member.status) {
            continue;
        }
        for (const PeerView& peer : member.status->peers) {
            if (peer.silent_ms >= 0) {
                const auto [at, first] = shortest.try_emplace(peer.id, peer.silent_ms);
                at->second = std::min(at->second, peer.silent_ms);
            }
        }
    }
    for (MemberReport& member : members) {
        const auto found = shortest.find(member.node.id);
        member.silent_ms = found == shortest.end() ? -1 : found->second;
    }
}

void find_reasons_of(const Survey& survey, const MemberReport& member,
                     std::vector<std::string>& reasons) {
    const std::string& name = member.node.name;
    if (!member.status) {
        reasons.push_back(
            fmt::format("{} at {} does not answer", name, member.node.client_address));
        return;
    }
    const NodeStatus& status = *member.status;
    if (member.is_stranger()) {
        reasons.push_back(fmt::format("another daemon answers at {}, the address of {}",
                                      member.node.client_address, name));
        return;
    }
    if (status.ring != survey.newest_ring) {
        reasons.push_back(
            fmt::format("{} knows ring {}, not {}", name, status.ring, survey.newest_ring));
    }
    if (status.writes_refused) {
        reasons.push_back(fmt::format("{} refuses writes: its disk is full", name));
    }
    if (member.rebuilding > 0) {
        reasons.push_back(fmt::format("{} rebuilds {} partitions", name, member.rebuilding));
    }
    std::uint64_t named = 0;
    for (const PeerView& peer : status.peers) {
        const std::string other = name_by_id(survey.ring, peer.id);
        if (peer.hints > 0) {
            reasons.push_back(fmt::format("{} holds {} hints for {}", name, peer.hints, other));
            named += peer.hints;
        }
        const auto seen =
            std::ranges::find(survey.members, peer.id, [](const auto& m) { return m.node.id; });
        const bool answers_us =
            seen != survey.members.end() && seen->status.has_value() && !seen->is_stranger();
        if (peer.suspected && answers_us) {
            reasons.push_back(fmt::format("{} does not hear {}", name, other));
        }
    }
    if (status.hints_held > named) {
        reasons.push_back(
            fmt::format("{} holds {} hints for others", name, status.hints_held - named));
    }
}

unsigned rebuilding_at(Admin& admin, const std::string& address) {
    const auto stats = admin.stats_at(address);
    if (!stats) {
        return 0;
    }
    const auto found = stats->find("partitions.rebuilding");
    return found == stats->end() ? 0 : static_cast<unsigned>(found->second);
}

}  // namespace

bool MemberReport::is_stranger() const {
    return status && !status->node.id.empty() && status->node.id != node.id;
}

std::string MemberReport::state(std::uint64_t ring) const {
    if (!status) {
        return "down";
    }
    if (is_stranger()) {
        return "stranger";
    }
    if (status->writes_refused) {
        return "full";
    }
    return status->ring == ring ? "up" : "behind";
}

std::string MemberReport::leaving_state() const {
    return status && !is_stranger() ? "leaving" : "gone";
}

std::string Survey::verdict() const {
    if (healthy()) {
        return fmt::format("healthy: {} of {} nodes up", members.size(), members.size());
    }
    return fmt::format("degraded: {}", fmt::join(reasons, "; "));
}

Survey judged(RingView ring, std::vector<Result<NodeStatus>> reports,
              const std::vector<unsigned>& rebuilding) {
    Survey survey;
    survey.ring = std::move(ring);
    survey.newest_ring = survey.ring.number;
    for (std::size_t at = 0; at < survey.ring.nodes.size(); ++at) {
        if (reports[at]) {
            survey.newest_ring = std::max(survey.newest_ring, reports[at]->ring);
        }
        survey.members.push_back({survey.ring.nodes[at], std::move(reports[at]), 0, 0, -1, 0});
        survey.members.back().rebuilding = at < rebuilding.size() ? rebuilding[at] : 0;
    }
    for (std::size_t at = 0; at < survey.ring.leaving.size(); ++at) {
        auto& report = reports[survey.ring.nodes.size() + at];
        survey.leaving.push_back({survey.ring.leaving[at], std::move(report), 0, 0, -1, 0});
    }
    count_shares(survey.ring, survey.members);
    note_silences(survey.members);
    std::vector<std::string> reasons;
    for (const MemberReport& member : survey.members) {
        find_reasons_of(survey, member, reasons);
    }
    // One node alone is a beginning, not a ring that has lost its others.
    const std::size_t nodes = survey.members.size();
    if (nodes > 1 && nodes < survey.ring.copies) {
        reasons.push_back(
            fmt::format("{} nodes cannot hold {} copies of a key", nodes, survey.ring.copies));
    }
    if (!survey.ring.moving.empty()) {
        reasons.push_back(fmt::format("{} partitions are moving", survey.ring.moving.size()));
    }
    for (const MemberReport& former : survey.leaving) {
        reasons.push_back(former.node.name +
                          (former.leaving_state() == "leaving"
                               ? " has left and hands over what it holds"
                               : " was removed without handing over, and does not answer"));
    }
    survey.reasons = std::move(reasons);
    return survey;
}

Result<Survey> survey(Admin& admin) {
    auto ring = admin.ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    std::vector<Result<NodeStatus>> reports;
    std::vector<unsigned> rebuilding;
    for (const NodeInfo& node : ring->nodes) {
        reports.push_back(admin.status_at(node.client_address));
        rebuilding.push_back(reports.back() ? rebuilding_at(admin, node.client_address) : 0);
    }
    for (const NodeInfo& former : ring->leaving) {
        reports.push_back(admin.status_at(former.client_address));
    }
    return judged(std::move(*ring), std::move(reports), rebuilding);
}

}  // namespace dynamo::cli
