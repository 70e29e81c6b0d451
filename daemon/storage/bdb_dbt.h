// Octets as the library's functions take and give them.
//
// Threads: plain values
#pragma once

#include <db_cxx.h>

#include "libdynamo/base/bytes.h"

namespace dynamo {

/// `bytes` as an argument; they must outlive it.
[[nodiscard]] inline Dbt dbt_of(BytesView bytes) {
    // The library takes what it only reads through a pointer to non-const.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    return {const_cast<char*>(bytes.data()), static_cast<u_int32_t>(bytes.size())};
}

/// What a result points at.
[[nodiscard]] inline BytesView view_of(const Dbt& dbt) {
    return {static_cast<const char*>(dbt.get_data()), dbt.get_size()};
}

}  // namespace dynamo
