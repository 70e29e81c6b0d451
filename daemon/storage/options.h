// What an engine is told when it is opened.
//
// Shape:   sizes in octets
// Threads: a plain value; `log` is called from any thread of the engine, one call at a time
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace dynamo {

/// How much a message of an engine matters.
enum class StorageNotice : std::uint8_t { info, warning, error };

struct StorageOptions {
    std::string engine = "bdb";       ///< "bdb" or "memory"
    std::filesystem::path directory;  ///< the engine's own; made when its parent exists
    std::uint64_t cache_bytes = 64u << 20;
    std::uint16_t partitions = 256;   ///< whose files are made at once with a new directory
    std::uint32_t page_bytes = 8192;  ///< of tables that are made from now on: 512 to 65536
    /// Log written since the last checkpoint that asks for the next: what a recovery has to replay.
    std::uint64_t checkpoint_bytes = 256u << 20;
    /// Kept aside, besides the size of a log file, to recover with when the disk is full; 0: none.
    /// On a disk with less than 8 times as much free there is none either.
    std::uint64_t ballast_bytes = 8u << 20;
    /// Takes one line for the daemon's log; empty: nobody listens.
    std::function<void(StorageNotice, std::string)> log;
};

}  // namespace dynamo
