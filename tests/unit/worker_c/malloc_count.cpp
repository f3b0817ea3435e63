// SPDX-License-Identifier: MIT
#include "tests/unit/worker_c/malloc_count.hpp"

#include <cstddef>

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): ld's --wrap names them
// so
extern "C" {
void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* block, std::size_t size);
char* __real_strdup(const char* text);

void* __wrap_malloc(std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size);
void* __wrap_realloc(void* block, std::size_t size);
char* __wrap_strdup(const char* text);
}

namespace {

std::size_t calls = 0;

} // namespace

void* __wrap_malloc(std::size_t size)
{
    ++calls;
    return __real_malloc(size);
}

void* __wrap_calloc(std::size_t count, std::size_t size)
{
    ++calls;
    return __real_calloc(count, size);
}

void* __wrap_realloc(void* block, std::size_t size)
{
    ++calls;
    return __real_realloc(block, size);
}

char* __wrap_strdup(const char* text)
{
    ++calls;
    return __real_strdup(text);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace usher::test {

std::size_t malloc_count() noexcept
{
    return calls;
}

} // namespace usher::test
