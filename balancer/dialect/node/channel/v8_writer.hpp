// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace usher::node {

/// Appends one value to a string as V8's serializer writes plain data, so that every Node can read
/// it. Who calls sees to it that what is begun is ended, and that every key has a value.
class V8Writer {
public:
    /// Begins with the header; `bytes` must outlive the writer.
    explicit V8Writer(std::string& bytes);

    void null();
    void boolean(bool value);
    void number(std::int64_t value);
    void number(double value);

    /// `utf8` must be valid.
    void text(std::string_view utf8);

    void begin_object();
    void end_object();

    /// Comes before each value of an object, no two the same in one object.
    void key(std::string_view utf8);

    void begin_array();
    void end_array();

private:
    struct Container {
        bool is_array;
        std::uint32_t count = 0;
        std::size_t begin = 0; ///< of its bytes
    };

    void begin_value();
    void put_text(std::string_view utf8);

    std::string& bytes_;
    std::vector<Container> open_;
};

} // namespace usher::node
