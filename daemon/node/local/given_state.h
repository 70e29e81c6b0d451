// A state that a client gives to be merged: what is checked of it before it is let in.
//
// Its versions have their dots from wherever they were written, which may be another cluster, and
// are taken as they are. A client that may write can do no more harm with one than with a context
// and a put: superseding what it claims to have seen. What it must not do is to break records: be
// larger than a put could have made them, or reach numbers that nothing can be counted on from.
//
// Threads: a pure function
// Errors:  bad_request, too_large
#pragma once

#include "daemon/node/options.h"
#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {

[[nodiscard]] Result<Object> given_state(BytesView encoded, const NodeOptions& options);

}  // namespace dynamo
