// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

/// What the threads that remove files (do_elsewhere()) could not remove, for whoever has the log,
/// which is no thread's.  One list for the process, as they are.  May be called from any thread.
namespace usher::left_files {

/// Adds a sentence.  Without memory nobody hears of it.
void add(const std::string& sentence) noexcept;

/// Calls `on_added`, from the thread that has added and with the list locked, from now on, until
/// there is another or none.  If it throws nobody is called.
void watch(std::function<void()> on_added);

/// The sentences that nobody has taken yet.
[[nodiscard]] std::vector<std::string> take();

} // namespace usher::left_files
