#include "tests/libdynamo/ring/rings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/libdynamo/ring/settled.h"

namespace dynamo::test {

Member member(unsigned number, std::uint32_t weight, const std::string& zone) {
    Member member;
    member.name = "n" + std::to_string(number);
    member.id.octets = digest(member.name);
    member.zone = zone;
    member.weight = weight;
    member.client_address = "127.0.0.1:" + std::to_string(20000 + 2 * number);
    member.peer_address = "127.0.0.1:" + std::to_string(20001 + 2 * number);
    return member;
}

std::vector<Member> members(unsigned count) {
    std::vector<Member> members;
    for (unsigned number = 1; number <= count; ++number) members.push_back(member(number));
    return members;
}

std::vector<Member> sorted(std::vector<Member> members) {
    std::ranges::sort(members, {}, &Member::id);
    return members;
}

RingState founded(const Member& founder, const Shape& shape) {
    ClusterSettings settings;
    settings.partitions = shape.partitions;
    settings.copies = shape.copies;
    settings.read_quorum = std::min<std::uint16_t>(2, shape.copies);
    settings.write_quorum = std::min<std::uint16_t>(2, shape.copies);
    return found(ClusterId::from("a test's cluster"), settings, founder, 1000);
}

void change_to(RingState& state, const std::vector<Member>& members) {
    const NodeId issuer = state.history.begin()->first;
    const std::vector<Member> present = state.head().members;
    for (const Member& member : members)
        if (std::ranges::find(present, member) == present.end())
            stage(state, issuer, MemberOp::Kind::add, member, "", 1000);
    for (const Member& member : present)
        if (std::ranges::find(members, member.id, &Member::id) == members.end())
            stage(state, issuer, MemberOp::Kind::remove, member, "", 1000);
    if (staged(state).empty()) return;
    auto planned = plan(state, sha256(std::to_string(state.head().number)));
    ASSERT_TRUE(planned) << planned.error().message;
    state.epochs.push_back(*std::move(planned));
    test::settle(state);
}

RingState ring_of(const std::vector<Member>& members, const Shape& shape) {
    RingState state = founded(members.front(), shape);
    change_to(state, members);
    return state;
}

std::vector<Member> row(const Epoch& epoch, std::size_t partition) {
    std::vector<Member> row;
    for (std::size_t rank = 0; rank < epoch.copies; ++rank) {
        const std::uint16_t index = epoch.table.at(partition * epoch.copies + rank);
        if (index != Epoch::nobody) row.push_back(epoch.members.at(index));
    }
    return row;
}

std::vector<std::size_t> loads(const Epoch& epoch) {
    std::vector<std::size_t> loads(epoch.members.size(), 0);
    for (const std::uint16_t index : epoch.table)
        if (index != Epoch::nobody) ++loads.at(index);
    return loads;
}

}  // namespace dynamo::test
