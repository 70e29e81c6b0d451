// What tools write: JSON, tables, bytes.
//
// stdout carries data only; words and errors go to stderr. Columns are the same on a terminal and
// in a pipe.
//
// Threads: any, one at a time
// Errors:  a write that fails (a reader that has gone) answers false
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dynamo/error.h"

namespace dynamo::cli {

enum class Format : std::uint8_t { human, json, ndjson, tsv, prom };

/// Writes all of it to stdout, past any buffer.
bool write_out(std::string_view octets);
/// The same to stderr.
void write_error(std::string_view text);

// ---------------------------------------------------------------------------------------- text

[[nodiscard]] bool is_utf8(std::string_view octets);
/// The text with every octet that is no UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string as_utf8(std::string_view octets);
/// For a person's eyes: control characters and what is no UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view octets);
/// A long key says no more than its beginning: the first 64 octets and the length.
[[nodiscard]] std::string shortened(const std::string& text);
/// Columns on a terminal, one a code point.
[[nodiscard]] std::size_t width_of(std::string_view text);
/// `text` with spaces after it up to `width` columns.
[[nodiscard]] std::string padded(std::string_view text, std::size_t width);

/// Standard base64 with padding, as base64(1) and jq write it.
[[nodiscard]] std::string base64_of(std::string_view octets);
/// Reads both alphabets, padded or not.
[[nodiscard]] Result<std::string> from_base64_text(std::string_view text);
[[nodiscard]] std::string hex_of(std::string_view octets);
[[nodiscard]] Result<std::string> from_hex_text(std::string_view text);

/// "12.3 KiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// "2024-05-01T12:00:00.123Z" of milliseconds since 1970.
[[nodiscard]] std::string time_text(std::int64_t wall_ms);
/// "3s", "2m10s": how long ago.
[[nodiscard]] std::string age_text(std::int64_t milliseconds);

// ---------------------------------------------------------------------------------------- JSON

/// One line. What is no UTF-8 is replaced, never thrown at.
[[nodiscard]] std::string dumped(const nlohmann::ordered_json& json);
/// Puts octets under `name`, or under `name`_b64 when they are not UTF-8.
void put_octets(nlohmann::ordered_json& object, const std::string& name, std::string_view octets);
/// code, exit, retryable, applied, message and, when known, node.
[[nodiscard]] nlohmann::ordered_json error_fields(const Error& error);

// --------------------------------------------------------------------------------------- tables

/// Columns aligned by their widest cell; `right` columns by their right edge.
class Table {
  public:
    struct Column {
        std::string title;
        bool right = false;
    };
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> row);
    [[nodiscard]] std::string text() const;
    /// One row a line, cells parted by TAB, no titles.
    [[nodiscard]] std::string tsv() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// True when colour is wanted: stdout is a terminal, NO_COLOR is not set, TERM is not dumb.
[[nodiscard]] bool colour_wanted();

}  // namespace dynamo::cli
