#include "daemon/storage/bdb_error.h"

#include <db_cxx.h>

#include <cerrno>

namespace dynamo {
namespace {

Code code_of(int number, bool panicked) {
    switch (number) {
        case ENOSPC:
        case EDQUOT:
            return Code::storage_full;
        case DB_RUNRECOVERY:
        case DB_CHKSUM_FAIL:
        case DB_PAGE_NOTFOUND:
        case DB_VERIFY_BAD:
        case DB_LOG_VERIFY_BAD:
        // What the disk took and cannot give back is as good as damaged.
        case EIO:
            return Code::corrupt;
        case DB_VERSION_MISMATCH:
        case DB_OLD_VERSION:
            return Code::refused;
        default:
            // What stops an environment, other than a full disk, is damage that it met.
            return panicked ? Code::corrupt : Code::storage;
    }
}

std::string advice_for(Code code, int number, bool panicked) {
    switch (code) {
        case Code::storage_full:
            return panicked ? "; make room on that disk, then start the daemon again"
                            : "; make room on that disk and writes go on";
        case Code::refused:
            return "; the files were made by another release of Berkeley DB";
        default:
            break;
    }
    if (number == EMFILE || number == ENFILE)
        return "; raise the limit of open files: every partition takes one";
    if (number == ENOMEM) return "; give the daemon more memory or a smaller cache";
    return "";
}

}  // namespace

Error bdb_error(int code, bool panicked, std::string_view doing, const std::string& place) {
    const Code meaning = code_of(code, panicked);
    return {meaning, "cannot " + std::string(doing) + " in " + place + ": " +
                         DbEnv::strerror(code) + advice_for(meaning, code, panicked)};
}

}  // namespace dynamo
