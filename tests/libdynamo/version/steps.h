// Steps of a world (world.h) for rapidcheck to draw, show and shrink.
#pragma once

#include <rapidcheck/gtest.h>

#include <array>
#include <vector>

#include "tests/libdynamo/version/world.h"

namespace dynamo::test {

inline constexpr std::array<const char*, 11> step_names{
    "read",         "put_with_context", "put_observing", "put_blind", "remove",      "merge",
    "keep_message", "deliver",          "restart",       "copy_disk", "restore_disk"};
inline constexpr unsigned step_kinds = step_names.size();

inline void showValue(const Step& step, std::ostream& out) {
    out << step_names.at(static_cast<std::size_t>(step.kind)) << '(' << step.a << ' ' << step.b
        << ' ' << step.c << ')';
}

inline rc::Gen<std::vector<Step>> any_steps() {
    const auto number = rc::gen::inRange<unsigned>(0, 12);
    return rc::gen::container<std::vector<Step>>(
        rc::gen::apply([](unsigned kind, unsigned a, unsigned b,
                          unsigned c) { return Step{static_cast<Step::Kind>(kind), a, b, c}; },
                       rc::gen::inRange<unsigned>(0, step_kinds), number, number, number));
}

}  // namespace dynamo::test
