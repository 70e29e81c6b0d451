#include "daemon/storage/storage.h"

#include <string>

namespace dynamo {

Result<void> check_row(BytesView key, BytesView value) {
    if (key.size() > max_row_key_bytes)
        return fail(Code::too_large, "a row's key of " + std::to_string(key.size()) +
                                         " octets is over the storage's limit of " +
                                         std::to_string(max_row_key_bytes));
    if (value.size() > max_row_value_bytes)
        return fail(Code::too_large, "a row's value of " + std::to_string(value.size()) +
                                         " octets is over the storage's limit of " +
                                         std::to_string(max_row_value_bytes));
    return {};
}

}  // namespace dynamo
