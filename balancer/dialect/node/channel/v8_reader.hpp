// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usher::node {

/// Reads what V8's serializer has written, as far as it is plain data: what JSON can say, too.
/// Trusts nothing of what it reads, least of all lengths.
class V8Reader {
public:
    enum class Result {
        done,
        not_plain, ///< a map, a buffer, a reference to an object before...: only V8 can read it
        too_long,  ///< longer as JSON than it may be
        malformed, ///< cut short, or nothing that V8 has written
    };

    /// No object or array is nested deeper than this.
    static constexpr int deepest = 64;

    /// `payload` must outlive the reader.
    explicit V8Reader(std::string_view payload) noexcept : rest_{payload} {}

    /// Reads the header.  False if it is none, or of a version older than Node 16's.
    [[nodiscard]] bool read_header() noexcept;

    /// What was not read yet.
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

    /// Appends the next value as JSON to `json`, which shall not grow beyond `most` bytes; after
    /// too_long it has the beginning, of which the end may be cut.
    [[nodiscard]] Result read_json(std::string& json, std::size_t most);

    /// If the next value is an object, goes to its value for `wanted`, past others that are plain
    /// and short.  False if it cannot be found.
    [[nodiscard]] bool find(std::string_view wanted);

    /// The next value if it is a text of Latin-1, as it stands in the payload.
    [[nodiscard]] std::optional<std::string_view> read_text() noexcept;

private:
    // All read on and do nothing more once the result is not done.
    void value(int depth);
    void object(int depth);
    void key();
    void dense_array(int depth);
    void text(std::size_t width);
    void put(std::string_view text);
    void stop(Result reason) noexcept;
    [[nodiscard]] bool is_done() const noexcept { return result_ == Result::done; }

    void skip_padding() noexcept;
    [[nodiscard]] char tag() noexcept;
    [[nodiscard]] bool skip(char tag) noexcept;
    [[nodiscard]] std::uint32_t varint() noexcept;
    [[nodiscard]] std::string_view bytes(std::size_t count) noexcept;

    std::string_view rest_;
    std::string* json_ = nullptr;
    std::size_t most_ = 0;
    Result result_ = Result::done; ///< so far
};

} // namespace usher::node
