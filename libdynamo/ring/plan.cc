// Changes of the ring: staged by operators, folded into members, placed into the next epoch.
#include <algorithm>
#include <tuple>

#include "libdynamo/ring/placement.h"
#include "libdynamo/ring/ring.h"

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

// The whole history is folded anew, not only what is staged: an operation that was issued long ago
// and arrives late must not undo a newer one that has been committed meanwhile.
std::vector<Member> fold(const RingState& state) {
    std::vector<MemberOp> operations;
    for (const auto& [issuer, issued] : state.history)
        operations.insert(operations.end(), issued.begin(), issued.end());
    std::map<NodeId, Member> members;
    for (MemberOp& operation : in_order(std::move(operations))) {
        const NodeId subject = operation.subject.id;
        switch (operation.kind) {
            case MemberOp::Kind::add:
                members[subject] = std::move(operation.subject);
                break;
            case MemberOp::Kind::remove:
                members.erase(subject);
                break;
            case MemberOp::Kind::set:
                if (members.contains(subject)) members[subject] = std::move(operation.subject);
                break;
        }
    }
    std::vector<Member> sorted;
    for (auto& [id, member] : members) sorted.push_back(std::move(member));
    return sorted;
}

bool is_member(const Epoch& epoch, const NodeId& node) {
    return std::ranges::binary_search(epoch.members, node, {}, &Member::id);
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
        const bool has_been = std::ranges::any_of(
            state.epochs, [&](const Epoch& epoch) { return is_member(epoch, member.id); });
        if (has_been && !is_member(state.head(), member.id))
            return fail(Code::refused, "node " + member.id.brief() + " (" + member.name +
                                           ") was removed and cannot return; give it a new " +
                                           "data directory, and with it a new identity");
    }
    return {};
}

std::vector<NodeId> owners_of(const Epoch& epoch, std::uint16_t partition) {
    std::vector<NodeId> owners;
    for (std::size_t rank = 0; rank < epoch.copies; ++rank) {
        const std::uint16_t index = epoch.table[std::size_t{partition} * epoch.copies + rank];
        if (index != Epoch::nobody) owners.push_back(epoch.members[index].id);
    }
    return owners;
}

}  // namespace

std::vector<MemberOp> staged(const RingState& state) {
    std::vector<MemberOp> operations;
    const auto& covers = state.head().covers;
    for (const auto& [issuer, issued] : state.history) {
        const auto covered = covers.find(issuer);
        const std::uint64_t last = covered == covers.end() ? 0 : covered->second;
        std::ranges::copy_if(issued, std::back_inserter(operations),
                             [last](const MemberOp& operation) { return operation.seq > last; });
    }
    return in_order(std::move(operations));
}

void stage(RingState& state, const NodeId& issuer, MemberOp::Kind kind, const Member& subject,
           std::string note, WallMs wall_ms) {
    // Later than everything that the issuer knows of, also when its wall clock is behind.
    Issued issued{wall_ms, 0};
    for (const auto& [other, operations] : state.history)
        for (const MemberOp& operation : operations)
            if (operation.issued >= issued)
                issued = {operation.issued.wall_ms, operation.issued.count + 1};
    auto& own = state.history[issuer];
    own.push_back({issuer, own.size() + 1, issued, kind, subject, std::move(note)});
}

Result<Epoch> plan(const RingState& state, const Sha256& parent) {
    if (staged(state).empty()) return fail(Code::refused, "no change is staged");
    const Epoch& head = state.head();
    Epoch next;
    next.members = fold(state);
    if (auto allowed = check_members(next.members, state); !allowed)
        return std::unexpected(allowed.error());
    next.number = head.number + 1;
    next.parent = parent;
    next.copies = head.copies;
    next.partitions = head.partitions;
    next.table = place(next.members, next.partitions, next.copies, &head);
    next.version = head.version;
    for (std::uint16_t p = 0; p < next.partitions; ++p)
        if (owners_of(next, p) != owners_of(head, p)) next.version[p] = next.number;
    for (const auto& [issuer, operations] : state.history) next.covers[issuer] = operations.size();
    return next;
}

}  // namespace dynamo
