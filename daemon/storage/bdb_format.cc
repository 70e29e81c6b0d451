#include "daemon/storage/bdb_format.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "daemon/storage/files.h"
#include "libdynamo/base/hash.h"

namespace dynamo {
namespace {

constexpr std::string_view format_name = "dynamo storage bdb ";
constexpr unsigned format_version = 1;

constexpr std::string_view format_file = "format";
constexpr std::string_view making_file = "being-made";

// The library's own files, by the names that it and the tables give them.
Result<std::vector<std::filesystem::path>> library_files(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> found;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("log.") || name.starts_with("__db.") || name.ends_with(".db"))
            found.push_back(entry.path());
    }
    if (failed) return std::unexpected(system_error("list", directory, failed.value()));
    return found;
}

// "dynamo storage bdb 1 CHECKSUM": a flipped bit must not make the version a newer one.
Bytes format_line(unsigned version) {
    const Bytes text = std::string(format_name) + std::to_string(version);
    std::array<char, 24> sum{};
    (void)std::snprintf(sum.data(), sum.size(), " %016llx\n",
                        static_cast<unsigned long long>(checksum(text)));
    return text + sum.data();
}

Result<void> check_version(const std::filesystem::path& directory, BytesView text) {
    unsigned version = 0;
    if (text.starts_with(format_name)) {
        const BytesView rest = text.substr(format_name.size());
        (void)std::from_chars(std::to_address(rest.begin()), std::to_address(rest.end()), version);
    }
    // The first directories have no checksum.
    const bool whole = text == format_line(version) || text == std::string(format_name) + "1\n";
    if (!whole || version == 0)
        return fail(Code::corrupt,
                    (directory / format_file).string() + " does not name a storage format");
    if (version > format_version)
        return fail(Code::refused, directory.string() + " has storage format " +
                                       std::to_string(version) + "; this release reads up to " +
                                       std::to_string(format_version) +
                                       ": start a newer dynamod on it");
    return {};
}

}  // namespace

Result<BdbFormat> look_at_format(const std::filesystem::path& directory) {
    const auto content = read_small_file(directory / format_file);
    if (!content) return std::unexpected(content.error());
    const auto making = read_small_file(directory / making_file);
    if (!making) return std::unexpected(making.error());
    if (*content) {
        if (auto known = check_version(directory, **content); !known)
            return std::unexpected(known.error());
        if (*making) (void)::unlink((directory / making_file).c_str());
        return BdbFormat::ready;
    }
    const auto files = library_files(directory);
    if (!files) return std::unexpected(files.error());
    std::error_code unknown;
    if (!*making && std::filesystem::exists(directory / "high-water", unknown))
        return fail(Code::corrupt, (directory / format_file).string() + " is missing");
    if (!*making && !files->empty())
        return fail(Code::refused, directory.string() + " has " +
                                       files->front().filename().string() +
                                       " but no file 'format': it was not made by dynamod");
    for (const auto& file : *files)
        if (::unlink(file.c_str()) != 0)
            return std::unexpected(system_error("remove", file, errno));
    return BdbFormat::to_be_made;
}

Result<void> begin_making(const std::filesystem::path& directory) {
    return replace_file(directory / making_file, "removed when all files are there\n");
}

Result<void> finish_making(const std::filesystem::path& directory) {
    if (auto synced = sync_file_system(directory); !synced) return synced;
    if (auto marked = replace_file(directory / format_file, format_line(format_version)); !marked)
        return marked;
    (void)::unlink((directory / making_file).c_str());
    return {};
}

}  // namespace dynamo
