// What a ring state promises, checked before it is believed: it may come from a peer or a disk.
#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "libdynamo/ring/partition_set.h"
#include "libdynamo/ring/ring.h"

namespace dynamo {
namespace {

std::unexpected<Error> bad(std::string message) {
    return fail(Code::bad_request, std::move(message));
}

Result<void> check_settings(const ClusterSettings& settings) {
    if (settings.name.empty()) return bad("the cluster has no name");
    if (settings.copies < 1 || settings.copies > max_copies)
        return bad("N is " + std::to_string(settings.copies) + ", not between 1 and " +
                   std::to_string(max_copies));
    if (!std::has_single_bit(settings.partitions) || settings.partitions > max_partitions)
        return bad("Q is " + std::to_string(settings.partitions) +
                   ", not a power of two between 1 and " + std::to_string(max_partitions));
    for (const auto& [name, quorum] :
         {std::pair{"R", settings.read_quorum}, std::pair{"W", settings.write_quorum}})
        if (quorum < 1 || quorum > settings.copies)
            return bad(std::string(name) + " is " + std::to_string(quorum) +
                       ", not between 1 and N = " + std::to_string(settings.copies));
    return {};
}

Result<void> check_history(const NodeId& issuer, const std::vector<MemberOp>& operations) {
    const std::string who = "the history of node " + issuer.brief();
    if (issuer.is_none() || operations.empty()) return bad(who + " has no issuer or no change");
    for (std::size_t i = 0; i < operations.size(); ++i) {
        const MemberOp& operation = operations[i];
        const std::string which = who + ", change " + std::to_string(i + 1);
        if (operation.issuer != issuer || operation.seq != i + 1)
            return bad(which + ": wrong issuer or a gap in the numbers");
        if (i > 0 && operation.issued <= operations[i - 1].issued)
            return bad(which + ": not later than the one before");
        if (operation.kind != MemberOp::Kind::discard && !operation.kept.empty())
            return bad(which + ": discards nothing and keeps something");
        switch (operation.kind) {
            case MemberOp::Kind::remove:
            case MemberOp::Kind::lost:
                if (operation.subject.id.is_none()) return bad(which + ": names no node");
                break;
            case MemberOp::Kind::add:
            case MemberOp::Kind::set:
                if (auto valid = validate(operation.subject); !valid)
                    return bad(which + ": " + valid.error().message);
                break;
            case MemberOp::Kind::discard:
                if (operation.subject != Member{}) return bad(which + ": names a node");
                break;
            default:
                return bad(which + ": unknown kind");
        }
    }
    return {};
}

Result<void> check_members(const std::vector<Member>& members) {
    if (members.empty() || members.size() > max_members)
        return bad(std::to_string(members.size()) + " members");
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (auto valid = validate(members[i]); !valid) return valid;
        if (i > 0 && members[i].id <= members[i - 1].id)
            return bad("members are repeated or not sorted by id");
        if (!names.insert(members[i].name).second)
            return bad("two members are named " + members[i].name);
    }
    return {};
}

/// The owners of one partition, sorted. No set: there are as many of these as partitions times
/// epochs in every state that a peer sends.
class Owners {
  public:
    /// False when the node is there already.
    bool insert(const NodeId& node) {
        auto* const end = nodes_.begin() + count_;
        auto* const at = std::lower_bound(nodes_.begin(), end, node);
        if (at != end && *at == node) return false;
        std::move_backward(at, end, end + 1);
        *at = node;
        ++count_;
        return true;
    }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(count_); }
    bool operator==(const Owners&) const = default;

  private:
    std::array<NodeId, max_copies> nodes_{};
    std::ptrdiff_t count_ = 0;
};

/// Or why the row is none.
Result<Owners> owners_of(const Epoch& epoch, std::size_t partition) {
    const auto bad_row = [partition](const std::string& why) {
        return bad("partition " + std::to_string(partition) + ": " + why);
    };
    Owners owners;
    bool ended = false;
    for (std::size_t rank = 0; rank < epoch.copies; ++rank) {
        const std::uint16_t index = epoch.table[partition * epoch.copies + rank];
        if (index == Epoch::nobody) {
            ended = true;
            continue;
        }
        if (ended) return bad_row("an owner after an empty place");
        if (index >= epoch.members.size()) return bad_row("an owner who is no member");
        if (!owners.insert(epoch.members[index].id)) return bad_row("an owner is listed twice");
    }
    if (owners.size() != std::min<std::size_t>(epoch.copies, epoch.members.size()))
        return bad_row(std::to_string(owners.size()) + " owners though there are more members");
    return owners;
}

Result<void> check_table(const Epoch& epoch, const Epoch* before) {
    if (epoch.table.size() != std::size_t{epoch.partitions} * epoch.copies)
        return bad("the table has " + std::to_string(epoch.table.size()) +
                   " places, not Q times N");
    if (epoch.version.size() != epoch.partitions)
        return bad(std::to_string(epoch.version.size()) + " versions, not Q");
    for (std::size_t p = 0; p < epoch.partitions; ++p) {
        auto owners = owners_of(epoch, p);
        if (!owners) return std::unexpected(owners.error());
        const std::uint64_t version = epoch.version[p];
        if (version == epoch.number) continue;
        // Of what was before the oldest ring nothing is known.
        const bool stays = before
                               ? version == before->version[p] && *owners == *owners_of(*before, p)
                               : version > 0 && version < epoch.number;
        if (!stays)
            return bad("partition " + std::to_string(p) +
                       ": its version is not the ring that last changed it");
    }
    return {};
}

Result<void> check_covers(const Epoch& epoch, const Epoch* before, const RingState& state) {
    for (const auto& [issuer, last] : epoch.covers) {
        const auto history = state.history.find(issuer);
        if (last == 0 || history == state.history.end() || last > history->second.size())
            return bad("covers changes of node " + issuer.brief() + " that are not in the history");
    }
    if (!before) return {};
    for (const auto& [issuer, last] : before->covers) {
        const auto now = epoch.covers.find(issuer);
        if (now == epoch.covers.end() || now->second < last)
            return bad("forgets changes of node " + issuer.brief());
    }
    return {};
}

Result<void> check_lost(const Epoch& epoch, const Epoch* before) {
    for (std::size_t i = 0; i < epoch.lost.size(); ++i) {
        const NodeId& node = epoch.lost[i];
        if (node.is_none() || (i > 0 && node <= epoch.lost[i - 1]))
            return bad("lost nodes are repeated or not sorted");
        if (std::ranges::binary_search(epoch.members, node, {}, &Member::id))
            return bad("node " + node.brief() + " is lost, and a member");
    }
    if (before && !std::ranges::includes(epoch.lost, before->lost))
        return bad("a lost node is found again");
    return {};
}

/// `before` has been checked.
Result<void> check_epoch(const Epoch& epoch, const Epoch* before, const RingState& state) {
    if (epoch.number == 0 || (before && epoch.number != before->number + 1))
        return bad("a gap in the numbers");
    if (epoch.copies != state.settings.copies || epoch.partitions != state.settings.partitions)
        return bad("N or Q is not the cluster's");
    if (auto valid = check_members(epoch.members); !valid) return valid;
    if (auto valid = check_table(epoch, before); !valid) return valid;
    if (auto valid = check_lost(epoch, before); !valid) return valid;
    return check_covers(epoch, before, state);
}

Result<void> check_synced(const RingState& state) {
    for (const auto& [version, nodes] : state.synced) {
        if (version <= state.epochs.front().number || version > state.head().number)
            return bad("copies are noted of ring " + std::to_string(version) + ", which is none");
        for (const auto& [node, partitions] : nodes)
            if (node.is_none() || partitions.size() != set_octets(state.settings.partitions))
                return bad("the copies noted of node " + node.brief() + " are not Q partitions");
    }
    return {};
}

}  // namespace

Result<void> validate(const Member& member) {
    if (member.id.is_none()) return bad("a member has no id");
    if (member.name.empty()) return bad("member " + member.id.brief() + " has no name");
    if (member.client_address.empty() || member.peer_address.empty())
        return bad("member " + member.name + " has no address for clients or for peers");
    if (member.weight < 1 || member.weight > max_weight)
        return bad("the weight of member " + member.name + " is " + std::to_string(member.weight) +
                   ", not between 1 and " + std::to_string(max_weight));
    return {};
}

Result<void> validate(const RingState& state) {
    if (state.cluster.is_none()) return bad("the ring names no cluster");
    if (auto valid = check_settings(state.settings); !valid) return valid;
    for (const auto& [issuer, operations] : state.history)
        if (auto valid = check_history(issuer, operations); !valid) return valid;
    if (state.epochs.empty()) return bad("the cluster has no ring");
    const Epoch* before = nullptr;
    for (const Epoch& epoch : state.epochs) {
        if (auto valid = check_epoch(epoch, before, state); !valid)
            return bad("ring " + std::to_string(epoch.number) + ": " + valid.error().message);
        before = &epoch;
    }
    return check_synced(state);
}

}  // namespace dynamo
