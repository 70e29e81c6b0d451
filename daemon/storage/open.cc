#include "daemon/storage/open.h"

#include "daemon/storage/bdb.h"
#include "daemon/storage/memory.h"

namespace dynamo {
namespace {

struct Engine {
    std::string_view name;
    Result<std::unique_ptr<Storage>> (*open)(const StorageOptions&);
};

Result<std::unique_ptr<Storage>> open_memory(const StorageOptions& /*options*/) {
    return std::make_unique<MemoryStorage>();
}

// Every engine there is: a new one is a line here and a line in the contract test.
constexpr Engine engines[] = {{"bdb", open_bdb}, {"memory", open_memory}};

}  // namespace

Result<std::unique_ptr<Storage>> open_storage(const StorageOptions& options) {
    std::string known;
    for (const Engine& engine : engines) {
        if (engine.name == options.engine) return engine.open(options);
        known += (known.empty() ? "" : ", ") + std::string(engine.name);
    }
    return fail(Code::bad_request,
                "no storage engine is called '" + options.engine + "'; there are: " + known);
}

}  // namespace dynamo
