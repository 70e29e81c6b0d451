#include "cli/common/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dynamo::cli {

Result<LineReader> LineReader::open(const std::string& source, char separator,
                                    std::size_t longest) {
    if (source == "-") {
        return LineReader(Source::of_stdin(), separator, longest);
    }
    if (!source.starts_with("@")) {
        return fail(Code::bad_request,
                    fmt::format("write - for stdin or @FILE for a file, not '{}'", source));
    }
    auto opened = Source::open(source.substr(1));
    if (!opened) {
        return std::unexpected(opened.error());
    }
    return LineReader(std::move(*opened), separator, longest);
}

std::optional<Line> LineReader::next() {
    for (;;) {
        const std::string_view here = source_.here();
        auto end = here.find(separator_, scanned_);
        const bool whole = end != std::string_view::npos;
        if (!whole) {
            scanned_ = here.size();
            end = here.size();
            const bool last = source_.ended() && end > 0;
            const bool over = end > longest_;
            if (!last && !over) {
                return std::nullopt;
            }
        }
        Line line{number_ + 1, std::string(here.substr(0, end)), false};
        source_.take(whole ? end + 1 : end);
        scanned_ = 0;
        const bool was_skipping = std::exchange(skipping_, !whole && !source_.ended());
        if (was_skipping) {
            continue;
        }
        ++number_;
        if (line.text.size() > longest_) {
            constexpr std::size_t shown = 1024;
            line.text.resize(std::min(longest_, shown));
            line.too_long = true;
        }
        return line;
    }
}

Result<void> LineReader::fill(std::chrono::milliseconds wait) {
    if (const auto filled = source_.fill(wait); !filled) {
        return std::unexpected(filled.error());
    }
    return {};
}

}  // namespace dynamo::cli
