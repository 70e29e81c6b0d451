#include "daemon/storage/open.h"

#include "daemon/storage/bdb.h"
#include "daemon/storage/memory.h"

namespace dynamo {
namespace {

struct Engine {
    std::string_view name;
    Result<std::unique_ptr<Storage>> (*open)(const StorageOptions&);
    Result<void> (*check)(const StorageOptions&);
};

Result<std::unique_ptr<Storage>> open_memory(const StorageOptions& /*options*/) {
    return std::make_unique<MemoryStorage>();
}

Result<void> check_memory(const StorageOptions& /*options*/) { return {}; }

// Every engine there is: a new one is a line here and a line in the contract test.
constexpr Engine engines[] = {{"bdb", open_bdb, check_bdb}, {"memory", open_memory, check_memory}};

Result<Engine> engine_named(const std::string& name) {
    std::string known;
    for (const Engine& engine : engines) {
        if (engine.name == name) return engine;
        known += (known.empty() ? "" : ", ") + std::string(engine.name);
    }
    return fail(Code::bad_request,
                "no storage engine is called '" + name + "'; there are: " + known);
}

}  // namespace

Result<std::unique_ptr<Storage>> open_storage(const StorageOptions& options) {
    const auto engine = engine_named(options.engine);
    if (!engine) return std::unexpected(engine.error());
    return engine->open(options);
}

Result<void> check_storage(const StorageOptions& options) {
    const auto engine = engine_named(options.engine);
    if (!engine) return std::unexpected(engine.error());
    return engine->check(options);
}

}  // namespace dynamo
