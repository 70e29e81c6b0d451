// A file that only takes room, given up when a full disk would keep recovery from writing.
//
// Recovery writes before it can say that the disk is full, and fails for good while it is. With
// the ballast gone it gets through, the daemon starts, refuses writes, and can give data away.
//
// Threads: one
// Errors:  none: a disk too small or too full for it is served without
#pragma once

#include <cstdint>
#include <filesystem>

namespace dynamo {

class Ballast {
  public:
    Ballast(std::filesystem::path directory, std::uint64_t bytes);

    /// Gives the room up when less than the ballast's own size is free. True when it did.
    bool release_if_full();
    /// Gives the room up. True when there was some to give.
    bool release();
    /// Takes the room, when at least 8 times as much is free; a ballast that is there stays.
    void lay();

  private:
    std::filesystem::path directory_;
    std::filesystem::path file_;
    std::uint64_t bytes_;
};

}  // namespace dynamo
