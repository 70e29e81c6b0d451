// Reading and writing files as the tools do: all or nothing.
//
// Threads: any
// Errors:  bad_request (exit 2) names the file and what the system said
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dynamo/error.h"
#include "dynamo/types.h"

namespace dynamo::cli {

/// stdin to its end, at most `most` octets.
[[nodiscard]] Result<std::string> read_stdin(std::size_t most);
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t most);

/// A new file beside `path`, synced, renamed over it: nobody ever sees half of it. Mode 0600.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view octets);
/// A file that is written bit by bit, and is there under its name only once all of it is on disk;
/// without keep() nothing of it stays.
class NewFile {
  public:
    [[nodiscard]] static Result<NewFile> beside(const std::string& path);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    [[nodiscard]] Result<void> write(std::string_view octets);
    /// Synced, and renamed over `path`.
    [[nodiscard]] Result<void> keep();

  private:
    NewFile(std::string path, std::string beside, int descriptor)
        : path_(std::move(path)), beside_(std::move(beside)), descriptor_(descriptor) {}
    std::string path_;
    std::string beside_;  ///< empty once it was renamed
    int descriptor_;
};

/// Gone afterwards, whether or not it was there.
[[nodiscard]] Result<void> remove_file(const std::string& path);

/// A context that is named by a file or given itself. A file of that name wins.
struct ContextSource {
    ContextToken token;
    bool from_file = false;
};
[[nodiscard]] Result<ContextSource> read_context(const std::string& file_or_token);
[[nodiscard]] Result<void> write_context(const std::string& path, const ContextToken& token);

/// A directory of its own under $TMPDIR, removed with everything in it at the end.
class ScratchDirectory {
  public:
    [[nodiscard]] static Result<ScratchDirectory> make();
    ScratchDirectory(ScratchDirectory&& other) noexcept;
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;
    ~ScratchDirectory();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    explicit ScratchDirectory(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

/// Writes values as DIRECTORY/1, 2, ... and answers with the names, in order.
[[nodiscard]] Result<std::vector<std::string>> write_values(
    const std::filesystem::path& directory, const std::vector<std::string_view>& values);

/// What a command reads on its stdin.
enum class CommandInput : std::uint8_t { ours, nothing };
/// Runs COMMAND with the shell, `arguments` after it as its "$@"; answers with its stdout. It keeps
/// this process's stderr, and its stdin unless that is a list of ours. bad_request when it fails.
[[nodiscard]] Result<std::string> run_command(const std::string& command,
                                              const std::vector<std::string>& arguments,
                                              CommandInput input = CommandInput::ours);

}  // namespace dynamo::cli
