// Changes of the ring: staged by operators, folded into members, placed into the next epoch.
#include <algorithm>
#include <set>
#include <tuple>

#include "libdynamo/ring/placement.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/ring/transition.h"

namespace dynamo {
namespace {

/// The order in which operations take effect, on every node the same.
auto order_of(const MemberOp& operation) {
    return std::tie(operation.issued, operation.issuer, operation.seq);
}

std::vector<MemberOp> in_order(std::vector<MemberOp> operations) {
    std::ranges::sort(operations, {}, order_of);
    return operations;
}

/// The last operation of `issuer` that is covered.
std::uint64_t last_of(const std::map<NodeId, std::uint64_t>& covers, const NodeId& issuer) {
    const auto covered = covers.find(issuer);
    return covered == covers.end() ? 0 : covered->second;
}

/// What a fold of all operations comes to.
struct Folded {
    std::map<NodeId, Member> members;
    std::set<NodeId> lost;
};

/// All that was issued and not discarded, oldest first.
std::vector<MemberOp> in_effect(const RingState& state) {
    std::vector<MemberOp> operations;
    for (const auto& [issuer, issued] : state.history)
        operations.insert(operations.end(), issued.begin(), issued.end());
    operations = in_order(std::move(operations));
    // The latest discard first: one that is discarded itself discards nothing.
    for (std::size_t i = operations.size(); i-- > 0;) {
        if (operations[i].kind != MemberOp::Kind::discard) continue;
        const MemberOp discard = operations[i];
        const auto earlier = operations.begin() + static_cast<std::ptrdiff_t>(i);
        const auto kept =
            std::stable_partition(operations.begin(), earlier, [&](const MemberOp& operation) {
                return operation.seq <= last_of(discard.kept, operation.issuer);
            });
        i = static_cast<std::size_t>(kept - operations.begin());
        operations.erase(kept, earlier);
    }
    return operations;
}

// The whole history is folded anew, not only what is staged: an operation that was issued long ago
// and arrives late must not undo a newer one that has been committed meanwhile.
Folded fold(const RingState& state) {
    Folded folded;
    for (MemberOp& operation : in_effect(state)) {
        const NodeId subject = operation.subject.id;
        switch (operation.kind) {
            case MemberOp::Kind::add:
                folded.members[subject] = std::move(operation.subject);
                break;
            case MemberOp::Kind::remove:
                folded.members.erase(subject);
                break;
            case MemberOp::Kind::lost:
                folded.members.erase(subject);
                folded.lost.insert(subject);
                break;
            case MemberOp::Kind::set:
                if (folded.members.contains(subject))
                    folded.members[subject] = std::move(operation.subject);
                break;
            case MemberOp::Kind::discard:
                break;
        }
    }
    // Once it has been said it stands, whatever is taken back.
    folded.lost.insert(state.head().lost.begin(), state.head().lost.end());
    for (const NodeId& node : folded.lost) folded.members.erase(node);
    return folded;
}

bool is_member(const Epoch& epoch, const NodeId& node) {
    return std::ranges::binary_search(epoch.members, node, {}, &Member::id);
}

bool has_been_member(const RingState& state, const NodeId& node) {
    return state.released.contains(node) ||
           std::ranges::any_of(state.epochs,
                               [&](const Epoch& epoch) { return is_member(epoch, node); });
}

/// Whether it may come back: what it was to give to others is still with it, for the change that
/// removed it is being taken back.
bool is_leaving(const RingState& state, const NodeId& node) {
    return !is_released(state, node) && is_moving(state);
}

Result<void> check_members(const std::vector<Member>& members, const RingState& state) {
    if (members.empty()) return fail(Code::refused, "no member would be left");
    std::map<std::string_view, NodeId> names;
    for (const Member& member : members) {
        const auto [other, is_new] = names.emplace(member.name, member.id);
        if (!is_new)
            return fail(Code::refused, "two members would be named " + member.name + " (" +
                                           other->second.brief() + " and " + member.id.brief() +
                                           ")");
        const bool was = is_member(state.head(), member.id);
        if (!was && has_been_member(state, member.id) && !is_leaving(state, member.id))
            return fail(Code::refused, "node " + member.id.brief() + " (" + member.name +
                                           ") was removed and cannot return; give it a new " +
                                           "data directory, and with it a new identity");
    }
    return {};
}

/// It is who holds a partition that makes a list, not who comes first in it.
std::vector<NodeId> list_of(const Epoch& epoch, std::uint16_t partition) {
    auto owners = owners_in(epoch, partition);
    std::ranges::sort(owners);
    return owners;
}

/// Whether exactly the same nodes are members.
bool same_nodes(const std::vector<Member>& left, const std::vector<Member>& right) {
    return std::ranges::equal(left, right, {}, &Member::id, &Member::id);
}

}  // namespace

std::vector<MemberOp> staged(const RingState& state) {
    const auto& covers = state.head().covers;
    const auto has_no_effect = [&](const MemberOp& operation) {
        if (operation.seq <= last_of(covers, operation.issuer)) return true;
        // A discard of nothing but what was staged has had its effect.
        return operation.kind == MemberOp::Kind::discard &&
               std::ranges::all_of(covers, [&](const auto& covered) {
                   return last_of(operation.kept, covered.first) >= covered.second;
               });
    };
    auto operations = in_effect(state);
    std::erase_if(operations, has_no_effect);
    return operations;
}

namespace {

/// Later than everything that the issuer knows of, also when its wall clock is behind.
void append(RingState& state, MemberOp operation, WallMs wall_ms) {
    operation.issued = {wall_ms, 0};
    for (const auto& [other, operations] : state.history)
        for (const MemberOp& known : operations)
            if (known.issued >= operation.issued)
                operation.issued = {known.issued.wall_ms, known.issued.count + 1};
    auto& own = state.history[operation.issuer];
    operation.seq = own.size() + 1;
    own.push_back(std::move(operation));
}

}  // namespace

void stage(RingState& state, const NodeId& issuer, MemberOp::Kind kind, const Member& subject,
           std::string note, WallMs wall_ms) {
    append(state, {issuer, 0, {}, kind, subject, std::move(note)}, wall_ms);
}

void stage_discard(RingState& state, const NodeId& issuer,
                   const std::map<NodeId, std::uint64_t>& kept, std::string note, WallMs wall_ms) {
    append(state, {issuer, 0, {}, MemberOp::Kind::discard, {}, std::move(note), kept}, wall_ms);
}

std::vector<Member> members_to_be(const RingState& state) {
    std::vector<Member> sorted;
    for (auto& [id, member] : fold(state).members) sorted.push_back(std::move(member));
    return sorted;
}

Result<Epoch> plan(const RingState& state, const Sha256& parent) {
    if (staged(state).empty()) return fail(Code::refused, "no change is staged");
    const Epoch& head = state.head();
    Epoch next;
    const Folded folded = fold(state);
    next.members = members_to_be(state);
    next.lost.assign(folded.lost.begin(), folded.lost.end());
    if (auto allowed = check_members(next.members, state); !allowed)
        return std::unexpected(allowed.error());
    next.number = head.number + 1;
    next.parent = parent;
    next.copies = head.copies;
    next.partitions = head.partitions;
    const Epoch* const before =
        state.epochs.size() > 1 ? &state.epochs[state.epochs.size() - 2] : nullptr;
    const bool moving = is_moving(state);
    // Weights and zones move copies as well as nodes that come and go.
    const bool takes_back =
        moving && before && next.members != head.members &&
        (next.members == before->members ||
         (same_nodes(next.members, before->members) && !same_nodes(next.members, head.members)));
    if (moving && !takes_back && next.lost == head.lost)
        return fail(Code::refused,
                    "a change is under way: wait for its end (dyn-ring wait), or take it back "
                    "(dyn-ring cancel)");
    if (takes_back && before->lost == next.lost)
        next.table = before->table;
    else
        next.table = place(next.members, next.partitions, next.copies, &head);
    next.version = head.version;
    for (std::uint16_t p = 0; p < next.partitions; ++p)
        if (list_of(next, p) != list_of(head, p)) next.version[p] = next.number;
    for (const auto& [issuer, operations] : state.history) next.covers[issuer] = operations.size();
    return next;
}

}  // namespace dynamo
