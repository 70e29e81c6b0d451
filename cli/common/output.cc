#include "cli/common/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace dynamo::cli {
namespace {

bool write_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(descriptor, octets.data(), octets.size());
        if (written > 0) {
            octets.remove_prefix(static_cast<std::size_t>(written));
        } else if (written < 0 && errno == EAGAIN) {
            // A terminal shared with a program that made it non-blocking.
            pollfd ready{descriptor, POLLOUT, 0};
            ::poll(&ready, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

/// The length of the UTF-8 sequence that `octets` begins with, or 0 when it begins with none.
std::size_t sequence_length(std::string_view octets) {
    const auto octet = [&octets](std::size_t at) { return static_cast<unsigned char>(octets[at]); };
    const unsigned lead = octet(0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                               : lead >= 0xE0 && lead <= 0xEF ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 0;
    if (length == 0 || octets.size() < length) {
        return 0;
    }
    for (std::size_t at = 1; at < length; ++at) {
        if ((octet(at) & 0xC0u) != 0x80) {
            return 0;
        }
    }
    // No overlong forms, no surrogates, nothing past U+10FFFF.
    const unsigned second = octet(1);
    const bool wrong = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                       (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
    return wrong ? 0 : length;
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

bool write_out(std::string_view octets) { return write_all(STDOUT_FILENO, octets); }

void write_error(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

bool is_utf8(std::string_view octets) {
    while (!octets.empty()) {
        const std::size_t length = sequence_length(octets);
        if (length == 0) {
            return false;
        }
        octets.remove_prefix(length);
    }
    return true;
}

std::string as_utf8(std::string_view octets) {
    std::string out;
    while (!octets.empty()) {
        const std::size_t length = sequence_length(octets);
        out += length == 0 ? "\xEF\xBF\xBD" : octets.substr(0, length);
        octets.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string printable(std::string_view octets) {
    std::string out;
    while (!octets.empty()) {
        const std::size_t length = sequence_length(octets);
        const auto first = static_cast<unsigned char>(octets.front());
        if (length == 0 || first < 0x20 || first == 0x7F) {
            out += fmt::format("\\x{:02x}", first);
        } else {
            out += octets.substr(0, length);
        }
        octets.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string shortened(const std::string& text) {
    constexpr std::size_t shown = 64;
    if (text.size() <= shown) {
        return text;
    }
    // Not in the middle of a character.
    std::size_t end = shown;
    while (end > shown - 4 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80) {
        --end;
    }
    return fmt::format("{}... ({} octets)", text.substr(0, end), text.size());
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80; }));
}

std::string padded(std::string_view text, std::size_t width) {
    std::string out(text);
    const std::size_t used = width_of(text);
    out.append(width > used ? width - used : 0, ' ');
    return out;
}

std::string base64_of(std::string_view octets) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, octets.size() - at);
        unsigned group = 0;
        for (std::size_t index = 0; index < 3; ++index) {
            const auto octet = index < count ? static_cast<unsigned char>(octets[at + index]) : 0u;
            group = (group << 8u) | octet;
        }
        for (std::size_t index = 0; index < 4; ++index) {
            out += index <= count ? digits[(group >> (18 - 6 * index)) & 63u] : '=';
        }
    }
    return out;
}

Result<std::string> from_base64_text(std::string_view text) {
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    if (text.size() % 4 == 1) {
        return fail(Code::bad_request, "it is no base64");
    }
    std::string out;
    unsigned group = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const int digit = base64_digit(c);
        if (digit < 0) {
            return fail(Code::bad_request, "it is no base64");
        }
        group = (group << 6u) | static_cast<unsigned>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>((group >> bits) & 0xFFu);
        }
    }
    return out;
}

std::string hex_of(std::string_view octets) {
    std::string out;
    for (const char c : octets) {
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return out;
}

Result<std::string> from_hex_text(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const int high = hex_digit(text[at]);
        const int low = at + 1 < text.size() ? hex_digit(text[at + 1]) : -1;
        if (high < 0 || low < 0) {
            return fail(Code::bad_request, "it is no even number of hexadecimal digits");
        }
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto amount = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (amount >= 1024 && unit + 1 < units.size()) {
        amount /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, units[unit]);
}

std::string time_text(std::int64_t wall_ms) {
    constexpr std::int64_t year_10000 = 253'402'300'800'000;
    if (wall_ms < 0 || wall_ms >= year_10000) {
        return fmt::format("{}ms", wall_ms);
    }
    const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), wall_ms % 1000);
}

std::string age_text(std::int64_t milliseconds) {
    const std::int64_t seconds = milliseconds / 1000;
    if (seconds < 60) {
        return fmt::format("{}s", seconds);
    }
    if (seconds < 3600) {
        return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    }
    return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string dumped(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void put_octets(nlohmann::ordered_json& object, const std::string& name, std::string_view octets) {
    if (is_utf8(octets)) {
        object[name] = std::string(octets);
    } else {
        object[name + "_b64"] = base64_of(octets);
    }
}

nlohmann::ordered_json error_fields(const Error& error) {
    nlohmann::ordered_json fields = {{"code", name_of(error.code)},
                                     {"exit", exit_code_of(error.code)},
                                     {"retryable", is_retryable(error.code)},
                                     {"applied", name_of(error.applied)},
                                     {"message", as_utf8(error.message)}};
    if (!error.node.empty()) {
        fields["node"] = as_utf8(error.node);
    }
    return fields;
}

void Table::add(std::vector<std::string> row) {
    row.resize(columns_.size());
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
        std::size_t width = width_of(columns_[at].title);
        for (const auto& row : rows_) {
            width = std::max(width, width_of(row[at]));
        }
        widths.push_back(width);
    }
    std::string out;
    const auto add_line = [&](const auto& cell) {
        std::string line;
        for (std::size_t at = 0; at < columns_.size(); ++at) {
            const std::string text = cell(at);
            const std::string space(widths[at] - width_of(text), ' ');
            line += at == 0 ? "" : "  ";
            line += columns_[at].right ? space + text : text + space;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    };
    add_line([&](std::size_t at) { return columns_[at].title; });
    for (const auto& row : rows_) {
        add_line([&](std::size_t at) { return row[at]; });
    }
    return out;
}

std::string Table::tsv() const {
    std::string out;
    for (const auto& row : rows_) {
        out += fmt::format("{}\n", fmt::join(row, "\t"));
    }
    return out;
}

bool colour_wanted() {
    const char* refused = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool dumb = !terminal || std::string_view(terminal) == "dumb";
    return !(refused && *refused) && !dumb && ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace dynamo::cli
