// The doors that bytes from outside come in by, as functions of one input.
//
// libFuzzer calls them without end (fuzz_main.cc), a test calls them on the golden files and on
// some thousands of damaged copies (fuzz_corpus_test.cc).
//
// Two frames travel in one input: two octets, big-endian, say how long the first one is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/libdynamo/wire/samples.h"

namespace dynamo::wire {

struct Entry {
    std::string_view name;
    std::vector<std::string_view> seeds;  ///< golden files
    /// Empty, or what is wrong: something was decoded that is not encoded and decoded the same.
    std::string (*run)(BytesView input);
    /// The input that a golden file's frames are.
    Bytes (*input_of)(std::string_view seed, const Parts& parts);
};

[[nodiscard]] const std::vector<Entry>& entries();
[[nodiscard]] const Entry* find_entry(std::string_view name);

/// The frames that a golden file holds.
[[nodiscard]] Parts golden(std::string_view name);

}  // namespace dynamo::wire
