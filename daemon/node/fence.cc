#include "daemon/node/fence.h"

#include <optional>

#include "libdynamo/base/numbers.h"

namespace dynamo {
namespace {

constexpr std::string_view fence_row = "fence";

}  // namespace

Result<void> Fence::read(Storage& storage) {
    is_known_ = false;
    const auto noted = storage.get(Table::notes(), fence_row);
    if (!noted) return std::unexpected(noted.error());
    if (noted->has_value() && (*noted)->size() != 8)
        return fail(Code::corrupt, "the note of the fence is damaged");
    number_ = noted->has_value() ? number_at(**noted, 0) : 0;
    is_known_ = true;
    is_noted_ = noted->has_value();
    unsure_ = unsure_ || !is_noted_;
    return {};
}

Result<void> Fence::set(Storage& storage, std::uint64_t number) {
    Bytes note;
    append_number(note, number);
    if (auto put = storage.put(Table::notes(), fence_row, note); !put) return put;
    number_ = number;
    is_noted_ = true;
    return {};
}

}  // namespace dynamo
