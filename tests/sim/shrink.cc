#include "tests/sim/shrink.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace dynamo::sim {
namespace {

/// The smallest part of `all` that it finds with which `fails` is still true.
template <typename Element>
std::vector<Element> reduce(std::vector<Element> all,
                            const std::function<bool(const std::vector<Element>&)>& fails) {
    std::size_t parts = 2;
    while (all.size() >= 2 && parts <= all.size()) {
        bool smaller = false;
        const std::size_t size = (all.size() + parts - 1) / parts;
        for (std::size_t begin = 0; begin < all.size() && !smaller; begin += size) {
            std::vector<Element> kept;
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

}  // namespace

Plan shrink(const Setup& setup, const Violation& violation, unsigned runs) {
    Plan plan = plan_of(setup);
    const auto still_fails = [&](const Plan& smaller) {
        if (runs == 0) return false;
        --runs;
        const Outcome outcome = run(setup, smaller);
        return outcome.violation && outcome.violation->rule == violation.rule;
    };
    plan.strikes = reduce<Strike>(plan.strikes, [&](const std::vector<Strike>& kept) {
        return still_fails({plan.operations, kept});
    });
    plan.operations = reduce<Operation>(plan.operations, [&](const std::vector<Operation>& kept) {
        return still_fails({kept, plan.strikes});
    });
    return plan;
}

}  // namespace dynamo::sim
