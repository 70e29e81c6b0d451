#include "libdynamo/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace dynamo {

void check_failed(const char* file, int line, const char* condition) {
    (void)std::fprintf(stderr, "%s:%d: impossible: !(%s)\n", file, line, condition);
    std::abort();
}

}  // namespace dynamo
