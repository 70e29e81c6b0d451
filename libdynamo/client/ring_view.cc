#include "libdynamo/client/ring_view.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <tuple>

#include "libdynamo/ring/placement.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

std::string hex_of(const Sha256& hash) {
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

/// Partition copies that each member of an epoch holds, by its index.
std::vector<unsigned> loads_of(const Epoch& epoch) {
    std::vector<unsigned> loads(epoch.members.size(), 0);
    for (const auto index : epoch.table)
        if (index != Epoch::nobody) ++loads[index];
    return loads;
}

/// Fills the part of a view that one epoch decides.
void show_epoch(const Epoch& epoch, RingView& view) {
    view.number = epoch.number;
    view.digest = hex_of(wire::digest_of(epoch));
    view.copies = epoch.copies;
    view.partitions = epoch.partitions;

    std::vector<std::size_t> by_name(epoch.members.size());
    for (std::size_t i = 0; i < by_name.size(); ++i) by_name[i] = i;
    std::ranges::sort(by_name, {}, [&epoch](std::size_t i) {
        return std::tie(epoch.members[i].name, epoch.members[i].id);
    });
    std::vector<unsigned> place_of(by_name.size());
    view.nodes.clear();
    for (unsigned place = 0; place < by_name.size(); ++place) {
        place_of[by_name[place]] = place;
        view.nodes.push_back(info_of(epoch.members[by_name[place]]));
    }
    view.owners.assign(epoch.partitions, {});
    for (std::size_t slot = 0; slot < epoch.table.size(); ++slot)
        if (epoch.table[slot] != Epoch::nobody)
            view.owners[slot / epoch.copies].push_back(place_of[epoch.table[slot]]);
}

StagedChange change_of(const MemberOp& operation, const Epoch& head) {
    StagedChange change;
    change.node = info_of(operation.subject);
    change.wall_ms = operation.issued.wall_ms;
    change.note = operation.note;
    switch (operation.kind) {
        case MemberOp::Kind::add:
            change.kind = "add";
            break;
        case MemberOp::Kind::set:
            change.kind = "set";
            break;
        case MemberOp::Kind::discard:
            change.kind = "discard";
            break;
        case MemberOp::Kind::remove:
        case MemberOp::Kind::lost:
            change.kind = operation.kind == MemberOp::Kind::lost ? "lost" : "leave";
            // A removal carries the id alone; the head knows whose it is.
            const auto member = std::ranges::find(head.members, operation.subject.id, &Member::id);
            if (member != head.members.end()) change.node = info_of(*member);
            break;
    }
    return change;
}

/// The name that any epoch up to this one knows a node by.
std::string name_of(const NodeId& node, const std::vector<Epoch>& epochs) {
    for (const Epoch& epoch : epochs | std::views::reverse) {
        const auto member = std::ranges::find(epoch.members, node, &Member::id);
        if (member != epoch.members.end()) return member->name;
    }
    return to_hex(node.bytes()).substr(0, 8);
}

/// The operations that `epoch` covers and the one before it does not, in the order of issue.
std::vector<StagedChange> changes_of(const RingState& state, const Epoch& epoch,
                                     const Epoch& before) {
    std::vector<MemberOp> folded;
    for (const auto& [issuer, last] : epoch.covers) {
        const auto known = before.covers.find(issuer);
        const std::uint64_t first = known == before.covers.end() ? 0 : known->second;
        const auto operations = state.history.find(issuer);
        if (operations == state.history.end()) continue;
        for (const MemberOp& operation : operations->second)
            if (operation.seq > first && operation.seq <= last) folded.push_back(operation);
    }
    std::ranges::sort(folded, {}, [](const MemberOp& operation) {
        return std::tie(operation.issued, operation.issuer);
    });
    std::vector<StagedChange> changes;
    for (const MemberOp& operation : folded) changes.push_back(change_of(operation, before));
    return changes;
}

std::vector<RingEpoch> history_of(const RingState& state) {
    std::vector<RingEpoch> history;
    const Epoch none;
    for (std::size_t at = 0; at < state.epochs.size(); ++at) {
        const Epoch& epoch = state.epochs[at];
        const Epoch& before = at == 0 ? none : state.epochs[at - 1];
        RingEpoch past;
        past.number = epoch.number;
        past.digest = hex_of(wire::digest_of(epoch));
        past.wall_ms = epoch.issued.wall_ms;
        past.proposer = name_of(epoch.proposer, state.epochs);
        past.members = static_cast<unsigned>(epoch.members.size());
        past.moves = at == 0 ? 0 : static_cast<unsigned>(copies_moved(before, epoch));
        past.changes = changes_of(state, epoch, before);
        history.push_back(std::move(past));
    }
    return history;
}

MovingPartition moving_of(const RingState& state, const Routes& routes, std::uint16_t partition) {
    MovingPartition moving;
    moving.partition = partition;
    const auto& lists = routes.lists(partition);
    std::set<std::string> from;
    for (std::size_t i = 0; i + 1 < lists.size(); ++i) {
        for (const NodeId& owner : lists[i].owners) from.insert(name_of(owner, state.epochs));
        const auto fence = fence_of(state.settings, lists[i].owners.size());
        moving.sources = std::max(moving.sources, static_cast<unsigned>(fence));
    }
    moving.from.assign(from.begin(), from.end());
    for (const NodeId& owner : lists.back().owners)
        (routes.is_synced(owner, partition) ? moving.complete : moving.waiting)
            .push_back(name_of(owner, state.epochs));
    return moving;
}

bool spans_zones(const RingView& view) {
    std::set<std::string_view> zones;
    for (const auto& node : view.nodes) zones.insert(node.zone);
    return std::ranges::all_of(view.owners, [&](const std::vector<unsigned>& row) {
        std::set<std::string_view> spanned;
        for (const auto owner : row) spanned.insert(view.nodes[owner].zone);
        return spanned.size() == std::min(row.size(), zones.size());
    });
}

/// Who is given what it did not have, and by whom.
void count_moves(const Epoch& before, const Epoch& after, std::map<NodeId, Plan::Row>& rows) {
    for (std::uint16_t p = 0; p < after.partitions; ++p) {
        const auto had = owners_in(before, p);
        for (const NodeId& owner : owners_in(after, p)) {
            if (std::ranges::find(had, owner) != had.end()) continue;
            ++rows[owner].gains;
            for (const NodeId& source : had)
                rows[source].gives += 1.0 / static_cast<double>(had.size());
        }
    }
}

}  // namespace

NodeInfo info_of(const Member& member) {
    return {to_hex(member.id.bytes()), member.name,        member.zone, member.weight,
            member.client_address,     member.peer_address};
}

RingView view_of(const RingState& state, const Epoch& epoch) {
    RingView view;
    view.cluster = state.settings.name;
    view.cluster_id = to_hex(state.cluster.bytes());
    view.read_quorum = state.settings.read_quorum;
    view.write_quorum = state.settings.write_quorum;
    view.last_write_wins = state.settings.last_write_wins;
    show_epoch(epoch, view);
    return view;
}

RingView view_of(const RingState& state) {
    RingView view = view_of(state, state.head());
    const Routes routes(state, wire::digest_of(state.head()));
    for (const std::uint16_t partition : routes.moving())
        view.moving.push_back(moving_of(state, routes, partition));
    for (const Member& peer : routes.peers())
        if (!routes.is_member(peer.id)) view.leaving.push_back(info_of(peer));
    for (const auto& operation : staged(state))
        view.staged.push_back(change_of(operation, state.head()));
    view.history = history_of(state);
    return view;
}

Plan plan_of(const RingState& state, const Epoch& planned, std::string id) {
    const Epoch& head = state.head();
    Plan plan;
    plan.id = std::move(id);
    plan.from = head.number;
    plan.to = planned.number;
    plan.after = view_of(state);
    plan.after.staged.clear();
    show_epoch(planned, plan.after);

    std::map<NodeId, Plan::Row> rows;
    const auto loads_before = loads_of(head);
    for (std::size_t i = 0; i < head.members.size(); ++i) {
        rows[head.members[i].id] = {info_of(head.members[i]), loads_before[i], 0};
    }
    const auto loads_after = loads_of(planned);
    for (std::size_t i = 0; i < planned.members.size(); ++i) {
        auto& row = rows[planned.members[i].id];
        row.node = info_of(planned.members[i]);
        row.owns_after = loads_after[i];
        plan.replicas += loads_after[i];
    }
    count_moves(head, planned, rows);
    for (auto& [node, row] : rows) plan.rows.push_back(std::move(row));
    std::ranges::sort(plan.rows, {},
                      [](const Plan::Row& row) { return std::tie(row.node.name, row.node.id); });
    plan.moves = static_cast<unsigned>(copies_moved(head, planned));
    plan.moves_minimum = static_cast<unsigned>(fewest_moves(planned.members, head));
    plan.zones_distinct = spans_zones(plan.after);
    plan.short_partitions = static_cast<unsigned>(short_partitions(state, planned));
    return plan;
}

// -------------------------------------------------------------------------- what a view answers

unsigned RingView::partition_of(std::string_view key) const {
    if (partitions == 0) return 0;
    return dynamo::partition_of(dynamo::position_of(key), static_cast<std::uint16_t>(partitions));
}

std::vector<unsigned> RingView::fallbacks(unsigned partition) const {
    if (partition >= owners.size()) return {};
    std::vector<bool> seen(nodes.size(), false);
    for (const auto owner : owners[partition]) seen[owner] = true;
    std::vector<unsigned> standing_in;
    const auto take = [&](unsigned node) {
        if (!seen[node]) standing_in.push_back(node);
        seen[node] = true;
    };
    for (std::size_t step = 1; step < owners.size(); ++step)
        if (const auto& row = owners[(partition + step) % owners.size()]; !row.empty())
            take(row.front());
    // Whoever owns nothing first, in the order of identities: as nodes themselves count (route.h).
    std::vector<unsigned> rest;
    for (unsigned node = 0; node < nodes.size(); ++node)
        if (!seen[node]) rest.push_back(node);
    std::ranges::sort(rest, {}, [this](unsigned node) { return std::string_view(nodes[node].id); });
    std::ranges::for_each(rest, take);
    return standing_in;
}

bool RingView::covers(std::string_view key, const ContextToken& context,
                      const Version& version) const {
    Bytes id;
    if (!from_hex(cluster_id, id) || id.size() != 16) return false;
    const auto decoded =
        wire::decode_context(context.octets, ClusterId::from(id), dynamo::position_of(key));
    if (!decoded) return false;
    // A birth is unique for ever, so it names the actor alone.
    return std::ranges::any_of(decoded->seen.entries(), [&](const Clock::Entry& entry) {
        return entry.actor.birth == version.birth &&
               decoded->seen.covers({entry.actor, version.counter});
    });
}

std::string RingView::position_of(std::string_view key) {
    return to_hex(dynamo::position_of(key).bytes());
}

}  // namespace dynamo
