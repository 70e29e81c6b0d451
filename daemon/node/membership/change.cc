#include "daemon/node/membership/change.h"

#include <algorithm>
#include <map>
#include <optional>

#include "libdynamo/base/address.h"
#include "libdynamo/base/quote.h"
#include "libdynamo/ring/transition.h"

namespace dynamo {
namespace {

constexpr std::size_t max_name_octets = 64;
constexpr std::size_t max_note_octets = 256;
/// As the daemon's own options allow; the ring itself takes more.
constexpr std::uint32_t max_staged_weight = 10'000;

using MembersById = std::map<NodeId, Member>;

/// Names are shown in tables and typed in commands, so they stay plain.
bool is_word(std::string_view text) {
    return text.size() <= max_name_octets && std::ranges::all_of(text, [](char octet) {
               return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
                      (octet >= '0' && octet <= '9') || octet == '-' || octet == '_' ||
                      octet == '.';
           });
}

/// The address in its one form, with a host that others can reach and a port.
Result<std::string> check_address(const std::string& text, std::uint16_t default_port) {
    const auto address = parse_address(text, default_port);
    if (!address) return std::unexpected(address.error());
    if (address->host == "*" || address->port == 0)
        return fail(Code::bad_request,
                    quote(text) + " is no address that others can reach: name a host and a port");
    return to_string(*address);
}

Result<Member> check_member(const NodeId& id, const wire::StageRequest& request) {
    Member member;
    member.id = id;
    if (request.name.empty() || !is_word(request.name))
        return fail(Code::bad_request, quote(request.name) +
                                           " is no name: write 1 to 64 letters, digits, '-', "
                                           "'_' or '.'");
    if (!is_word(request.zone))
        return fail(Code::bad_request, quote(request.zone) +
                                           " is no zone: write up to 64 letters, digits, '-', "
                                           "'_' or '.'");
    if (request.weight < 1 || request.weight > max_staged_weight)
        return fail(Code::bad_request, "the weight is " + std::to_string(request.weight) +
                                           ", not between 1 and " +
                                           std::to_string(max_staged_weight));
    auto client_address = check_address(request.client_address, default_client_port);
    if (!client_address) return std::unexpected(client_address.error());
    auto peer_address = check_address(request.peer_address, default_peer_port);
    if (!peer_address) return std::unexpected(peer_address.error());
    member.name = request.name;
    member.zone = request.zone;
    member.weight = request.weight;
    member.client_address = std::move(*client_address);
    member.peer_address = std::move(*peer_address);
    return member;
}

/// Nobody else has its name or an address of it.
Result<void> check_unique(const Member& member, const MembersById& members) {
    for (const auto& [id, other] : members) {
        if (id == member.id) continue;
        if (other.name == member.name)
            return fail(Code::refused, "the name " + member.name + " is taken by node " +
                                           id.brief() + "; give this one another");
        for (const std::string* address : {&member.client_address, &member.peer_address})
            if (*address == other.client_address || *address == other.peer_address)
                return fail(Code::refused,
                            *address + " is an address of " + other.name + " already");
    }
    return {};
}

Result<void> check_may_join(const NodeId& id, const RingState& ring, const MembersById& members) {
    if (const auto member = members.find(id); member != members.end())
        return fail(Code::refused,
                    member->second.name + " (" + id.brief() + ") is a member, or staged to be one");
    const bool was_member = std::ranges::any_of(ring.epochs, [&](const Epoch& epoch) {
        return &epoch != &ring.head() &&
               std::ranges::binary_search(epoch.members, id, {}, &Member::id);
    });
    if (was_member || ring.released.contains(id))
        return fail(Code::refused, "node " + id.brief() +
                                       " was removed and cannot return; give it a new data "
                                       "directory, and with it a new identity");
    return {};
}

/// Of a node that is removed, what was known of it; none when it has handed over all, or is lost.
std::optional<Member> former_member(const RingState& ring, const NodeId& id) {
    if (is_released(ring, id) || std::ranges::binary_search(ring.head().lost, id)) return {};
    for (auto epoch = ring.epochs.rbegin(); epoch != ring.epochs.rend(); ++epoch)
        if (const auto at = std::ranges::find(epoch->members, id, &Member::id);
            at != epoch->members.end())
            return *at;
    return {};
}

/// What is staged, or what the head has changed as well.
Result<Change> check_discard(const RingState& ring, Change change, bool takes_back) {
    change.kind = MemberOp::Kind::discard;
    if (!takes_back) {
        if (staged(ring).empty()) return fail(Code::refused, "nothing is staged");
        change.kept = ring.head().covers;
        return change;
    }
    if (ring.epochs.size() < 2 || !is_moving(ring))
        return fail(Code::refused, "no change is under way that could be taken back");
    change.kept = ring.epochs[ring.epochs.size() - 2].covers;
    return change;
}

}  // namespace

Result<Change> check_change(const RingState& ring, const wire::StageRequest& request) {
    const NodeId id = NodeId::from(request.node_id);
    if (request.note.size() > max_note_octets)
        return fail(Code::bad_request,
                    "the note is longer than " + std::to_string(max_note_octets) + " octets");
    Change change{MemberOp::Kind{request.kind}, {}, request.note};
    if (request.kind == wire::stage_discard || request.kind == wire::stage_cancel)
        return check_discard(ring, std::move(change), request.kind == wire::stage_cancel);
    if (id.is_none()) return fail(Code::bad_request, "node_id must be 16 octets, not all zero");
    MembersById members;
    for (Member& member : members_to_be(ring)) members[member.id] = std::move(member);
    switch (change.kind) {
        case MemberOp::Kind::add:
            if (auto may = check_may_join(id, ring, members); !may)
                return std::unexpected(may.error());
            break;
        case MemberOp::Kind::lost:
            // One that has left, and has not handed over all, may be lost on the way.
            if (const auto former = former_member(ring, id); former && !members.contains(id)) {
                change.subject = *former;
                return change;
            }
            [[fallthrough]];
        case MemberOp::Kind::remove:
        case MemberOp::Kind::set:
            if (!members.contains(id))
                return fail(Code::refused,
                            "node " + id.brief() + " is no member, and not staged to be one");
            break;
        default:
            return fail(Code::bad_request,
                        "kind must be 1 (add), 2 (remove), 3 (set), 4 (lost), 5 (discard) or "
                        "6 (cancel)");
    }
    if (change.kind != MemberOp::Kind::add && change.kind != MemberOp::Kind::set) {
        change.subject = members.at(id);
        return change;
    }
    auto member = check_member(id, request);
    if (!member) return std::unexpected(member.error());
    if (auto unique = check_unique(*member, members); !unique)
        return std::unexpected(unique.error());
    change.subject = std::move(*member);
    return change;
}

}  // namespace dynamo
