// A recording: one run as a text that a person can read, change and run again.
//
//     run seed=144 nodes=3 r=2 w=2 sends_exactly_w=yes ...   the setup; what is left out is usual
//     faults kill,damage                                     classes that were on when it was drawn
//     operation number=12 at=1203456us key=k0 kind=put mode=context via=5
//     strike number=4 at=2500000us fault=corner node=1 lasts=300000us detail=77
//     violates 7 an acknowledged write is seen by the next read     without it: nothing is violated
//
// Nothing in it is drawn from the seed again but the network's and the disks' chances, so it stays
// the same run when the drawing of setups changes.
//
// Shape:   "#" begins a comment; one line each; a duration is in microseconds
// Threads: any
// Errors:  what is wrong with a line is said with its number
#pragma once

#include <iosfwd>
#include <string>

#include "tests/sim/simulation.h"

namespace dynamo::sim {

struct Recording {
    Setup setup;
    Plan plan;
    std::string violates;  ///< the rule, as it is named in messages; empty: none
};

[[nodiscard]] std::string to_text(const Recording& recording);
/// Empty, or what is wrong with which line.
[[nodiscard]] std::string from_text(std::istream& in, Recording& recording);

}  // namespace dynamo::sim
