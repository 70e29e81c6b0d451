// A directory of a test's own, removed with everything in it afterwards.
//
// Threads: one
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "libdynamo/base/check.h"

namespace dynamo {

class Scratch {
  public:
    Scratch() {
        std::string name =
            (std::filesystem::temp_directory_path() / "dynamo-storage-XXXXXX").string();
        DYN_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace dynamo
