#include "dynamo/types.h"

#include <algorithm>

#include "libdynamo/base/bytes.h"

namespace dynamo {

std::string to_text(const ContextToken& token) { return to_base64(token.octets); }

Result<ContextToken> context_from_text(std::string_view text) {
    constexpr std::string_view white_space = " \t\r\n";
    const auto first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos) return ContextToken{};
    const auto last = text.find_last_not_of(white_space);
    ContextToken token;
    if (!from_base64(text.substr(first, last - first + 1), token.octets))
        return fail(Code::bad_context,
                    "the context is not base64; give back exactly what a get or put printed");
    return token;
}

std::vector<const Version*> Got::values() const {
    std::vector<const Version*> live;
    for (const auto& version : versions) {
        const auto is_same = [&version](const Version* other) {
            return other->value == version.value;
        };
        if (!version.tombstone && std::ranges::none_of(live, is_same)) live.push_back(&version);
    }
    return live;
}

}  // namespace dynamo
