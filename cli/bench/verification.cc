#include "cli/bench/verification.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace dynamo::cli {
namespace {

/// What one read of a key showed to be wrong.
struct Finding {
    std::uint64_t key = 0;
    Verdict verdict = {};
    bool damaged = false;
    std::optional<Error> error = {};
    [[nodiscard]] bool good() const { return verdict.good() && !damaged && !error; }
};

Finding finding_of(std::uint64_t key, const Result<Got>& got, const Ledger& ledger,
                   const Values& values, std::uint64_t run) {
    Finding finding{.key = key};
    if (!got) {
        finding.error = got.error();
        return finding;
    }
    std::vector<std::uint64_t> readable;
    for (const Version& version : got->versions) {
        if (version.tombstone) {
            continue;
        }
        const auto stamp = values.read(version.value);
        finding.damaged = finding.damaged || !stamp || stamp->key != key;
        if (stamp && stamp->key == key && stamp->run == run) {
            readable.push_back(stamp->number);
        }
    }
    finding.verdict = ledger.judge(key, readable);
    return finding;
}

void settle(Verification& result, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        if (finding.error) {
            result.unread.push_back(finding.key);
            result.unread_error = finding.error;
            continue;
        }
        if (!finding.verdict.lost.empty()) {
            result.lost.push_back(finding.key);
        }
        if (!finding.verdict.phantom.empty()) {
            result.phantom.push_back(finding.key);
        }
        if (finding.damaged) {
            result.damaged.push_back(finding.key);
        }
    }
}

}  // namespace

Verification verify(const Ledger& ledger, const Values& values, std::uint64_t run,
                    const ReadKeys& read, std::chrono::milliseconds patience) {
    Verification result;
    std::vector<std::uint64_t> suspects = ledger.keys();
    result.keys = suspects.size();
    result.acknowledged = ledger.acknowledged();
    std::vector<Finding> findings;
    const auto look = [&](std::uint64_t key, const Result<Got>& got) {
        Finding finding = finding_of(key, got, ledger, values, run);
        if (!finding.good()) {
            findings.push_back(std::move(finding));
        }
    };
    read(suspects, look);
    const std::size_t at_first = findings.size();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!findings.empty() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        suspects.clear();
        for (const Finding& finding : findings) {
            suspects.push_back(finding.key);
        }
        findings.clear();
        read(suspects, look);
    }
    result.late = at_first - findings.size();
    std::ranges::sort(findings, {}, &Finding::key);
    settle(result, findings);
    return result;
}

ReadKeys reader_of(Client& client, const Settings& settings) {
    return [&client, &settings](std::span<const std::uint64_t> keys, const OnRead& on_read) {
        constexpr std::size_t most_under_way = 256;
        std::size_t next = 0;
        while (next < keys.size() || client.in_flight() > 0) {
            for (; next < keys.size() && client.in_flight() < most_under_way; ++next) {
                client.get_async(
                    key_of(settings, keys[next]), {.r = settings.r},
                    [&on_read, key = keys[next]](const Result<Got>& got) { on_read(key, got); });
            }
            client.poll(std::chrono::milliseconds(100));
        }
    };
}

}  // namespace dynamo::cli
