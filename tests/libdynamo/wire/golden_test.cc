// The bytes of every sample, frozen: a golden file holds one line of hexadecimal digits a frame.
//
// When a message has grown on purpose, `DYN_GOLDEN_WRITE=1 wire_test --gtest_filter=golden.*`
// writes the files anew; the difference then shows in review what old readers will be given.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/libdynamo/wire/samples.h"

namespace dynamo::wire {
namespace {

const std::filesystem::path folder = DYNAMO_GOLDEN_DIR;

std::string text_of(const Parts& parts) {
    std::string text;
    for (const Bytes& part : parts) text += to_hex(part) + "\n";
    return text;
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(golden, the_bytes_of_everything_are_those_that_were_frozen) {
    const bool write = std::getenv("DYN_GOLDEN_WRITE") != nullptr;
    for (const Sample& sample : samples()) {
        const auto path = folder / (sample.name + ".hex");
        if (write) std::ofstream(path, std::ios::binary) << text_of(sample.parts);
        EXPECT_EQ(content_of(path), text_of(sample.parts)) << sample.name;
    }
}

TEST(golden, every_file_is_the_sample_of_one_name) {
    std::set<std::string> names;
    for (const Sample& sample : samples()) EXPECT_TRUE(names.insert(sample.name).second);
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        files.insert(entry.path().stem());
    EXPECT_EQ(files, names);
}

TEST(golden, what_is_read_is_written_again_octet_by_octet) {
    for (const Sample& sample : samples()) {
        const auto again = sample.again(sample.parts);
        ASSERT_TRUE(again) << sample.name << ": " << again.error().message;
        EXPECT_EQ(text_of(*again), text_of(sample.parts)) << sample.name;
    }
}

}  // namespace
}  // namespace dynamo::wire
