#include "daemon/node/repair/gc.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace dynamo {
namespace {

constexpr std::size_t most_rows = 4096;  ///< in a page
constexpr std::size_t partition_octets = 2;

std::uint64_t milliseconds(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

/// Where a page begins: two octets of the partition, then the row.
struct Place {
    std::uint32_t partition = 0;
    Bytes row;

    [[nodiscard]] static Result<Place> from(BytesView octets) {
        if (octets.empty()) return Place{};
        if (octets.size() < partition_octets)
            return fail(Code::bad_request, "first is no place that a page has told");
        return Place{static_cast<std::uint32_t>(static_cast<unsigned char>(octets[0])) << 8U |
                         static_cast<unsigned char>(octets[1]),
                     Bytes(octets.substr(partition_octets))};
    }
    [[nodiscard]] static Bytes octets(std::uint16_t partition, BytesView row) {
        return Bytes{static_cast<char>(partition >> 8U), static_cast<char>(partition & 255U)}
            .append(row);
    }
};

Result<void> count_page(const Objects& objects, Place place, std::uint64_t number,
                        wire::GcReply& reply) {
    while (reply.next.empty()) {
        const auto partition = objects.reducible().next(place.partition);
        if (!partition) return std::unexpected(partition.error());
        if (!*partition) return {};
        if (**partition != place.partition) place = {**partition, {}};
        const auto visit = [&](BytesView row, std::uint64_t since) {
            if (reply.records == most_rows) {
                reply.next = Place::octets(**partition, row);
                return false;
            }
            ++reply.records;
            if (Purge::needed(since) <= number) ++reply.due;
            reply.needed = std::max(reply.needed, Purge::needed(since));
            return true;
        };
        if (auto scanned = objects.reducible().scan(**partition, place.row, visit); !scanned)
            return scanned;
        place = {place.partition + 1, {}};
    }
    return {};
}

/// Gathers the reasons, each with what it is about.
class Reasons {
  public:
    Reasons(const Desk& desk, const Objects& objects, const Liveness& liveness, const Purge& purge)
        : desk_(desk), objects_(objects), liveness_(liveness), purge_(purge) {}

    /// Of this node alone. Others may wait for it though it keeps nothing itself.
    [[nodiscard]] Result<void> own() {
        if (desk_.fence.out_of_date())
            add("out_of_date");
        else if (!purge_.settled())
            add("starting");
        if (!objects_.rebuilding().empty()) add("rebuilding", {}, objects_.rebuilding().size());
        if (!objects_.hints_counted()) add("uncounted");
        for (const NodeId& owner : objects_.hint_owners())
            add("hints", owner, objects_.hints_held_for(owner));
        const auto strays = purge_.strays();
        if (!strays) return std::unexpected(strays.error());
        if (*strays > 0) add("strays", {}, *strays);
        return {};
    }

    /// Of what is kept here.
    void of_records() {
        if (purge_.unreadable() > 0) add("damaged", {}, purge_.unreadable());
        for (const Member& member : desk_.routes.members())
            if (member.id != desk_.self()) of_member(member.id);
        for (const auto& [owner, objection] : purge_.objections()) {
            if (objection.refused) add("refuses", owner);
            if (objection.records > 0) add("differs", owner, objection.records);
        }
    }

    [[nodiscard]] std::vector<wire::GcWait> take() { return std::move(waits_); }

  private:
    void add(std::string_view reason, const NodeId& node = {}, std::uint64_t number = 0) {
        waits_.push_back(
            {std::string(reason), node.is_none() ? Bytes() : Bytes(node.bytes()), number});
    }

    void of_member(const NodeId& node) {
        const auto at = purge_.said().find(node);
        const Purge::Said said = at == purge_.said().end() ? Purge::Said{} : at->second;
        const Duration silence(std::max<std::int64_t>(0, liveness_.silence_us(node)));
        if (!liveness_.healthy(node) || (owes_an_answer(said) && silence > patience()))
            return add("silent", node, milliseconds(silence));
        if (!said.answered) return;
        // Rings and starts take a moment only: it would not say so any more.
        const bool lately = desk_.now.instant - said.when <= patience();
        if (!said.same_ring && lately) return add("other_ring", node);
        if (!said.settled && lately) return add("starting", node);
        // What it said to an earlier number of ours it need not say now.
        if (said.fence < said.own && said.own == desk_.fence.number())
            add("behind", node, said.fence);
    }

    [[nodiscard]] Duration patience() const { return 2 * desk_.options.replica_timeout; }
    [[nodiscard]] bool owes_an_answer(const Purge::Said& said) const {
        return said.unanswered && desk_.now.instant - *said.unanswered > patience();
    }

    const Desk& desk_;
    const Objects& objects_;
    const Liveness& liveness_;
    const Purge& purge_;
    std::vector<wire::GcWait> waits_;
};

}  // namespace

Result<wire::GcReply> gc_status(Desk& desk, const Objects& objects, const Liveness& liveness,
                                Purge& purge, const wire::GcRequest& request) {
    auto place = Place::from(request.first);
    if (!place) return std::unexpected(place.error());
    if (request.now) purge.hurry();
    wire::GcReply reply;
    reply.fence = desk.fence.number();
    reply.reduced = desk.counters.of("purge.reduced");
    reply.next_ms = milliseconds(std::max(Duration(0), purge.next_step() - desk.now.instant));
    const std::uint64_t number = request.number == 0 ? reply.fence : request.number;
    if (auto counted = count_page(objects, std::move(*place), number, reply); !counted)
        return std::unexpected(counted.error());
    if (!request.first.empty()) return reply;
    Reasons reasons(desk, objects, liveness, purge);
    if (const auto told = reasons.own(); !told) return std::unexpected(told.error());
    if (reply.records > 0) reasons.of_records();
    reply.waits = reasons.take();
    return reply;
}

}  // namespace dynamo
