#include "cli/diff/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace dynamo::cli {
namespace {

constexpr auto between_looks = std::chrono::milliseconds(5);

}  // namespace

Repair::Outcome Repair::look(const std::string& key) {
    Outcome outcome;
    std::optional<std::string> digest;
    for (const unsigned owner : ring_.owners.at(ring_.partition_of(key))) {
        const NodeInfo& node = ring_.nodes[owner];
        auto held = admin_.peek_at(node.client_address, key);
        if (!held) {
            outcome.failed = std::move(held.error());
            return outcome;
        }
        const auto own = std::ranges::find_if(
            held->copies, [](const HeldCopy& copy) { return copy.hint_for.empty(); });
        const HeldCopy copy = own == held->copies.end() ? HeldCopy{} : *own;
        outcome.changed = outcome.changed || copy.damaged || held->rebuilding ||
                          (digest && *digest != copy.digest);
        digest = copy.digest;
        for (const Version& version : copy.versions) {
            outcome.octets += version.value.size();
        }
    }
    return outcome;
}

Repair::Outcome Repair::verified(const std::string& key, bool changed) {
    const auto end = std::chrono::steady_clock::now() + patience_;
    for (;;) {
        Outcome outcome = look(key);
        if (outcome.failed || !outcome.changed) {
            outcome.changed = changed;
            return outcome;
        }
        if (std::chrono::steady_clock::now() >= end) {
            outcome.failed = Error{Code::timed_out,
                                   "its owners still hold it differently; is it being written?"};
            return outcome;
        }
        std::this_thread::sleep_for(between_looks);
    }
}

void Repair::mend(const std::vector<std::string>& keys, const Told& told) {
    std::vector<Outcome> outcomes(keys.size());
    for (std::size_t at = 0; at < keys.size(); ++at) {
        outcomes[at] = look(keys[at]);
        if (outcomes[at].failed || !outcomes[at].changed) {
            continue;
        }
        const auto owners =
            static_cast<unsigned>(ring_.owners.at(ring_.partition_of(keys[at])).size());
        client_.get_async(keys[at], {.r = owners}, [&outcome = outcomes[at]](Result<Got> got) {
            if (!got) {
                outcome.failed = std::move(got.error());
            }
        });
    }
    client_.run();
    for (std::size_t at = 0; at < keys.size(); ++at) {
        if (!outcomes[at].failed && outcomes[at].changed) {
            outcomes[at] = verified(keys[at], true);
        }
        told(keys[at], outcomes[at]);
    }
}

}  // namespace dynamo::cli
