// A test is a function; CHECK names the line where it fails, and RUN_ALL ends the program with what happened.
#pragma once

#include <cstdio>

namespace check {

inline int& failures() {
    static int count = 0;
    return count;
}

inline void require(bool holds, const char* what, const char* file, int line) {
    if (!holds) {
        std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        ++failures();
    }
}

inline int finish() {
    return failures() == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::require((condition), #condition, __FILE__, __LINE__)
