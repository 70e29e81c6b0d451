// How much somebody who has lost a copy must learn before it may answer for it again.
//
// Threads: a plain function
#pragma once

#include <algorithm>
#include <cstddef>

namespace dynamo {

/// Of how many other owners somebody who has lost its copy must learn, to know of every write that
/// was acknowledged with `quorum` of `copies`: N - W + 1 of them meet every such W. Never more than
/// there are.
[[nodiscard]] inline std::size_t owners_to_learn_from(std::size_t copies, std::size_t quorum) {
    return std::min(copies - 1, copies - std::min(quorum, copies) + 1);
}

}  // namespace dynamo
