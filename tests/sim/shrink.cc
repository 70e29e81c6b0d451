#include "tests/sim/shrink.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <vector>

#include "tests/sim/nemesis.h"
#include "tests/sim/workload.h"

namespace dynamo::sim {
namespace {

using Numbers = std::vector<std::uint64_t>;

/// The smallest part of `all` that it finds with which `fails` is still true.
Numbers reduce(Numbers all, const std::function<bool(const Numbers& kept)>& fails) {
    std::size_t parts = 2;
    while (all.size() >= 2 && parts <= all.size()) {
        bool smaller = false;
        const std::size_t size = (all.size() + parts - 1) / parts;
        for (std::size_t begin = 0; begin < all.size() && !smaller; begin += size) {
            Numbers kept;
            for (std::size_t i = 0; i < all.size(); ++i)
                if (i < begin || i >= begin + size) kept.push_back(all[i]);
            if (!fails(kept)) continue;
            all = std::move(kept);
            parts = std::max<std::size_t>(2, parts - 1);
            smaller = true;
        }
        if (!smaller)
            parts = parts == all.size() ? all.size() + 1 : std::min(all.size(), parts * 2);
    }
    if (all.size() == 1 && fails({})) all.clear();
    return all;
}

std::set<std::uint64_t> without(const Numbers& all, const Numbers& kept) {
    std::set<std::uint64_t> out(all.begin(), all.end());
    for (const std::uint64_t number : kept) out.erase(number);
    return out;
}

}  // namespace

LeftOut shrink(const Setup& setup, const Violation& violation, unsigned runs) {
    Numbers strikes;
    for (const Strike& strike : plan_strikes(setup)) strikes.push_back(strike.number);
    Numbers operations;
    for (const Operation& operation : plan_operations(setup))
        operations.push_back(operation.number);
    const auto still_fails = [&](const LeftOut& left_out) {
        if (runs == 0) return false;
        --runs;
        const Outcome outcome = run(setup, left_out);
        return outcome.violation && outcome.violation->rule == violation.rule;
    };
    LeftOut left_out;
    const Numbers kept_strikes = reduce(strikes, [&](const Numbers& kept) {
        return still_fails({left_out.operations, without(strikes, kept)});
    });
    left_out.strikes = without(strikes, kept_strikes);
    const Numbers kept_operations = reduce(operations, [&](const Numbers& kept) {
        return still_fails({without(operations, kept), left_out.strikes});
    });
    left_out.operations = without(operations, kept_operations);
    return left_out;
}

std::string to_ranges(const std::set<std::uint64_t>& numbers) {
    std::string out;
    for (auto at = numbers.begin(); at != numbers.end();) {
        const std::uint64_t first = *at;
        std::uint64_t last = first;
        for (++at; at != numbers.end() && *at == last + 1; ++at) last = *at;
        out += (out.empty() ? "" : ",") + std::to_string(first);
        if (last > first) out += "-" + std::to_string(last);
    }
    return out;
}

bool from_ranges(std::string_view text, std::set<std::uint64_t>& numbers) {
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        std::uint64_t first = 0;
        auto parsed = std::from_chars(part.data(), part.data() + part.size(), first);
        if (parsed.ec != std::errc{}) return false;
        std::uint64_t last = first;
        const char* end = part.data() + part.size();
        if (parsed.ptr != end && *parsed.ptr == '-') {
            parsed = std::from_chars(parsed.ptr + 1, end, last);
            if (parsed.ec != std::errc{}) return false;
        }
        if (parsed.ptr != end || last < first || last - first > 10'000'000) return false;
        for (std::uint64_t number = first; number <= last; ++number) numbers.insert(number);
    }
    return true;
}

}  // namespace dynamo::sim
