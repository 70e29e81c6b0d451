// Where the planted bugs that concern states are broken in (Mutant). Outside of the simulator's
// build these are the calls that they stand for.
//
// Threads: plain functions
#pragma once

#include "daemon/node/desk.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {

#ifdef DYNAMO_PLANTED_BUGS
/// merge(), but for the planted bug.
bool merge_or_break(const Desk& desk, Object& into, const Object& from);
/// `given`, but for the planted bug, which is kept until the thread's next call.
const Clock& context_or_broken(const Desk& desk, const Clock& given, const Object& held,
                               const Sibling& sibling);
#else
inline bool merge_or_break(const Desk&, Object& into, const Object& from) {
    return merge(into, from);
}
inline const Clock& context_or_broken(const Desk&, const Clock& given, const Object&,
                                      const Sibling&) {
    return given;
}
#endif

}  // namespace dynamo
