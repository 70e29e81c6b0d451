// Scenarios: stories with expectations, one file each (scenarios/*.txt).
//
//     cluster nodes=5 n=3 r=2 w=2 q=8 durability=sync seed=1     first line; any may be left out
//     cluster nodes=5 members=3               two nodes wait to be joined
//     key cart                                what the story is about: o1 o2 o3 are its owners in
//                                             order of preference, s1 s2 ... those who stand in
//                                             n1 n2 ... all nodes
//     put ann milk via o1 blind -> ok         session, value, node, way; "w=3", "overwrite" too
//     del ann via o1 context -> ok            answers: ok, or an error's name, or silence
//     get bob via o2 -> milk bread            what it shows, tombstones left out; "none"
//     get bob via o2 r=3 &                    "&": goes on without waiting for the answer
//     await                                   waits for all of those
//     kill o1 | power o1 | start o1 | wipe o1 | pause o1 | resume o1
//     fill o1 | room o1                       its commits find no room, and it has not noticed
//     unreadable o1 | readable o1             every read of its disk fails
//     damage o1                               a bit of its record of the key flips
//     break o1                                its engine meets a damaged page and gives up
//     flush o1                                what it has committed is on its disk
//     crash o1 at before-send                 at its next turn with something to store or to say
//                                             (before-commit, before-send, mid-send, after-send)
//     cut o1 o2 | cut o1 > o2 | isolate o1 | mend
//     join n4 | leave n2 | lost n2 | discard | cancel | commit      what an operator does; "via n1"
//                                             else through the first that is up; "-> refused"
//     run 5s                                  or 300ms
//     expect replica o1 milk bread            what its record shows; "none"
//     expect hints s1 o1 1                    how many it holds for whom
//     expect converged
//     expect rest                             one ring everywhere, nothing moves or is to be moved
//     expect moving 4                         partitions with more than one live list
//     finish                                  every node back, everything whole, all checks of a
//     run
//
// Shape:   "#" begins a comment; a value is one word; every story ends with `finish` by itself
// Errors:  what is wrong is printed with file and line
#pragma once

#include <string>

#include "daemon/node/options.h"

namespace dynamo::sim {

/// True when every expectation is met and no invariant violated.
[[nodiscard]] bool run_scenario(const std::string& file, Mutant mutant, bool trace);

}  // namespace dynamo::sim
