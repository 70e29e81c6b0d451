// Client::keys: a page of the key space, joined from what several owners hold.
#include <algorithm>
#include <charconv>
#include <map>

#include "libdynamo/base/bytes.h"
#include "libdynamo/client/parts.h"
#include "libdynamo/version/siblings.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t position_octets = 8;
constexpr unsigned most_keys = 1000;

/// Where a page begins: "PARTITION:ROW", the row in hexadecimal digits.
struct Place {
    unsigned partition = 0;
    Bytes row;
};

std::string to_text(const Place& place) {
    return std::to_string(place.partition) + ":" + to_hex(place.row);
}

Result<Place> place_of(const KeyQuery& query, unsigned partitions) {
    Place place{query.partition.value_or(0), {}};
    if (!query.cursor.empty()) {
        const char* end = query.cursor.data() + query.cursor.size();
        const auto number = std::from_chars(query.cursor.data(), end, place.partition);
        const std::string_view rest(number.ptr, static_cast<std::size_t>(end - number.ptr));
        const bool whole = number.ec == std::errc{} && rest.starts_with(':') &&
                           from_hex(rest.substr(1), place.row);
        if (!whole || (query.partition && place.partition != *query.partition))
            return fail(Code::bad_request, "'" + query.cursor + "' is no cursor of this listing");
    }
    if (place.partition >= partitions)
        return fail(Code::bad_request, "there is no partition " + std::to_string(place.partition) +
                                           "; the ring has " + std::to_string(partitions));
    return place;
}

/// What owners say of one row: what the first said, and how many said the same.
struct Row {
    wire::KeyRow said;
    std::size_t agree = 0;
};

/// The owners' pages as one. Beyond the least `next` not all of them have been heard, so rows from
/// there on are left to the next page.
std::map<Bytes, Row> joined(const std::vector<wire::KeysReply>& pages, Bytes& next) {
    for (const auto& page : pages)
        if (!page.next.empty() && (next.empty() || page.next < next)) next = page.next;
    std::map<Bytes, Row> rows;
    for (const auto& page : pages)
        for (const auto& said : page.rows) {
            if (!next.empty() && said.row >= next) break;
            if (said.row.size() <= position_octets) continue;  // no daemon of ours: it has no key
            Row& row = rows.try_emplace(said.row, Row{said, 0}).first->second;
            if (row.said.digest == said.digest && !said.digest.empty()) ++row.agree;
        }
    return rows;
}

KeyInfo info_of(const wire::KeyRow& said, unsigned partition) {
    return {said.row.substr(position_octets), said.values, said.tombstone, partition, {}};
}

}  // namespace

Result<void> Client::Parts::learn_ring() {
    const auto reply = reply_as<wire::RingReply>(ask(wire::RingRequest{}));
    if (!reply) return std::unexpected(reply.error());
    auto state = wire::decode_ring(reply->state);
    if (!state) return std::unexpected(state.error());
    ring = std::move(*state);
    ring_routes = Routes(*ring, wire::digest_of(ring->head()));
    return {};
}

Result<KeyPage> Client::keys(const KeyQuery& query) {
    Parts& parts = *parts_;
    if (query.cursor.empty() || !parts.ring)
        if (const auto learned = parts.learn_ring(); !learned)
            return std::unexpected(learned.error());
    const auto place = place_of(query, parts.ring_routes.partitions());
    if (!place) return std::unexpected(place.error());
    const auto partition = static_cast<std::uint16_t>(place->partition);

    std::vector<std::string> addresses;
    if (query.node.empty())
        for (const NodeId& owner : parts.ring_routes.owners(partition))
            addresses.push_back(parts.ring_routes.find(owner)->client_address);
    else
        addresses.push_back(query.node);
    const wire::KeysRequest request{partition, place->row, query.prefix,
                                    std::clamp(query.limit, 1u, most_keys)};
    const std::size_t copies = addresses.size();
    const std::size_t quorum = std::min<std::size_t>(parts.ring->settings.write_quorum, copies);
    const std::size_t needed = copies - quorum + 1;
    std::vector<wire::KeysReply> pages;
    Error last;
    for (auto& completion : parts.ask_enough(addresses, request, needed)) {
        auto page = reply_as<wire::KeysReply>(std::move(completion));
        if (page)
            pages.push_back(std::move(*page));
        else
            last = page.error();
    }
    if (pages.size() < needed) {
        parts.ring.reset();  // it may be an old one that names the wrong owners
        return fail(Code::quorum_not_met,
                    "partition " + std::to_string(partition) + ": " + std::to_string(pages.size()) +
                        " of its " + std::to_string(copies) + " owners answered, a listing needs " +
                        std::to_string(needed) + "; " + last.message);
    }
    return parts.to_page(query, place->partition, pages);
}

Result<KeyPage> Client::Parts::to_page(const KeyQuery& query, unsigned partition,
                                       const std::vector<wire::KeysReply>& pages) {
    KeyPage page;
    Bytes next;
    std::vector<KeyInfo> keys;
    std::vector<std::size_t> doubtful;
    for (const auto& [row, what] : joined(pages, next)) {
        keys.push_back(info_of(what.said, partition));
        if (what.agree < pages.size())
            doubtful.push_back(keys.size() - 1);
        else
            keys.back().digest = to_hex(what.said.digest);
    }
    if (query.node.empty())
        if (const auto settled = settle(keys, doubtful); !settled)
            return std::unexpected(settled.error());
    // A key that nobody holds any more: it was seen in passing and is not there.
    std::erase_if(keys, [](const KeyInfo& info) { return info.key.empty(); });
    page.keys = std::move(keys);
    const bool more = !query.partition && partition + 1 < ring_routes.partitions();
    if (!next.empty())
        page.cursor = to_text({partition, next});
    else if (more)
        page.cursor = to_text({partition + 1, {}});
    return page;
}

Result<void> Client::Parts::settle(std::vector<KeyInfo>& keys,
                                   const std::vector<std::size_t>& doubtful) {
    std::optional<Error> failed;
    std::size_t left = doubtful.size();
    for (const std::size_t at : doubtful)
        submit(wire::GetRequest{keys[at].key}, [&, at](Completion completion) {
            --left;
            auto reply = reply_as<wire::GetReply>(std::move(completion));
            if (!reply) {
                failed = reply.error();
                return;
            }
            Got got;
            for (auto& version : reply->versions)
                got.versions.push_back(to_version(std::move(version), ring_routes));
            keys[at].values = static_cast<unsigned>(got.values().size());
            keys[at].tombstone = std::ranges::any_of(got.versions, &Version::tombstone);
            if (got.versions.empty()) keys[at].key.clear();
        });
    while (left > 0) poll(std::chrono::hours(1));
    if (failed) return std::unexpected(*failed);
    return {};
}

}  // namespace dynamo
