#include "client/archive/image_changes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/archive/image_layout.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr unsigned kMaxPort = 65535;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// A word without its quotes, and where its first '=' outside of quotes was.
struct Word {
  std::string text;
  std::optional<size_t> equals;
};

// Takes the next word off the front of `*text`, which begins with no blank.
absl::StatusOr<Word> TakeWord(std::string_view* text) {
  Word word;
  char quote = 0;
  size_t at = 0;
  for (; at < text->size(); ++at) {
    const char c = (*text)[at];
    if (quote == 0 && kBlanks.find(c) != std::string_view::npos) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && at + 1 < text->size()) {
      const char next = (*text)[++at];
      // Inside double quotes a backslash is one, but before what has a meaning there.
      if (quote == '"' && next != '"' && next != '\\' && next != '$') word.text.push_back('\\');
      word.text.push_back(next);
    } else if (c == '$' && quote != '\'') {
      return absl::InvalidArgumentError(
          "variables are not expanded here: write the value, or \\$ for the character itself");
    } else {
      if (c == '=' && quote == 0 && !word.equals) word.equals = word.text.size();
      word.text.push_back(c);
    }
  }
  if (quote != 0) return absl::InvalidArgumentError("a quotation mark is not closed");
  *text = Trim(text->substr(at));
  return word;
}

absl::StatusOr<std::vector<std::string>> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    ASSIGN_OR_RETURN(Word word, TakeWord(&text));
    words.push_back(std::move(word.text));
  }
  return words;
}

absl::StatusOr<std::string> OneWord(std::string_view text) {
  ASSIGN_OR_RETURN(std::vector<std::string> words, Words(text));
  if (words.size() != 1 || words[0].empty()) {
    return absl::InvalidArgumentError("takes exactly one word");
  }
  return std::move(words[0]);
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "name=value name=value …", or the old form "name all the rest".
absl::StatusOr<Pairs> NamesAndValues(std::string_view text) {
  Pairs pairs;
  while (!text.empty()) {
    ASSIGN_OR_RETURN(Word word, TakeWord(&text));
    if (!word.equals) {
      if (!pairs.empty() || text.empty()) {
        return absl::InvalidArgumentError("takes NAME=VALUE; put quotes around blanks");
      }
      std::string value;
      while (!text.empty()) {
        ASSIGN_OR_RETURN(const Word next, TakeWord(&text));
        value.append(value.empty() ? "" : " ").append(next.text);
      }
      pairs.emplace_back(std::move(word.text), std::move(value));
      break;
    }
    pairs.emplace_back(word.text.substr(0, *word.equals), word.text.substr(*word.equals + 1));
  }
  for (const auto& [name, value] : pairs) {
    if (name.empty()) return absl::InvalidArgumentError("a name is empty");
  }
  return pairs;
}

absl::StatusOr<std::vector<std::string>> CommandLine(std::string_view text) {
  if (std::optional<std::vector<std::string>> words = ParseStringArray(text)) return *words;
  // As in docker, what is no array of strings is for the shell, as it stands.
  return std::vector<std::string>{"/bin/sh", "-c", std::string(text)};
}

std::optional<unsigned> ParsePort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > kMaxPort) {
    return std::nullopt;
  }
  return port;
}

// "80", "53/udp", "8000-8010/tcp".
absl::Status Expose(std::string_view spec, RuntimeConfig* runtime) {
  const size_t slash = std::min(spec.find('/'), spec.size());
  const std::string protocol = slash == spec.size() ? "tcp" : Lower(spec.substr(slash + 1));
  const std::string_view range = spec.substr(0, slash);
  const size_t dash = std::min(range.find('-'), range.size());
  const std::optional<unsigned> first = ParsePort(range.substr(0, dash));
  const std::optional<unsigned> last =
      dash == range.size() ? first : ParsePort(range.substr(dash + 1));
  if (!first || !last || *first > *last ||
      (protocol != "tcp" && protocol != "udp" && protocol != "sctp")) {
    return absl::InvalidArgumentError(
        "takes ports as 80, 53/udp or 8000-8010, with tcp, udp or sctp");
  }
  for (unsigned port = *first; port <= *last; ++port) {
    runtime->exposed_ports.insert(StrCat(port, "/", protocol));
  }
  return absl::OkStatus();
}

absl::Status AddVolumes(std::string_view text, RuntimeConfig* runtime) {
  std::optional<std::vector<std::string>> paths = ParseStringArray(text);
  if (!paths) {
    ASSIGN_OR_RETURN(paths, Words(text));
  }
  for (const std::string& path : *paths) {
    if (Trim(path).empty()) return absl::InvalidArgumentError("a path is empty");
    runtime->volumes.insert(path);
  }
  return absl::OkStatus();
}

// `path` below `base` unless it is absolute, without "." and "..".
std::string CleanPath(const std::string& base, const std::string& path) {
  const std::string whole = path.front() == '/' ? path : StrCat(base, "/", path);
  std::vector<std::string> parts;
  for (size_t at = 0; at < whole.size();) {
    const size_t end = std::min(whole.find('/', at), whole.size());
    std::string part = whole.substr(at, end - at);
    at = end + 1;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(std::move(part));
    }
  }
  std::string clean;
  for (const std::string& part : parts) clean.append("/").append(part);
  return clean.empty() ? "/" : clean;
}

bool IsSignal(const std::string& text) {
  std::string name = Upper(text);
  if (name.compare(0, 3, "SIG") == 0) name.erase(0, 3);
  const std::string number = name.substr(std::min(name.find_first_not_of('0'), name.size()));
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    const char* const abbreviation = sigabbrev_np(signal);
    if (number == StrCat(signal) || (abbreviation != nullptr && name == abbreviation)) return true;
  }
  const int real_time = SIGRTMAX - SIGRTMIN;
  for (int step = 0; step <= real_time; ++step) {
    if (name == (step == 0 ? "RTMIN" : StrCat("RTMIN+", step)) ||
        name == (step == 0 ? "RTMAX" : StrCat("RTMAX-", step))) {
      return true;
    }
  }
  return false;
}

absl::Status SetEnvironment(std::string_view text, RuntimeConfig* runtime) {
  ASSIGN_OR_RETURN(Pairs pairs, NamesAndValues(text));
  for (auto& [name, value] : pairs) {
    Pairs& variables = runtime->environment;
    const auto known =
        std::find_if(variables.begin(), variables.end(),
                     [&wanted = name](const auto& variable) { return variable.first == wanted; });
    if (known != variables.end()) {
      known->second = std::move(value);
    } else {
      variables.emplace_back(std::move(name), std::move(value));
    }
  }
  return absl::OkStatus();
}

absl::Status SetLabels(std::string_view text, RuntimeConfig* runtime) {
  ASSIGN_OR_RETURN(Pairs pairs, NamesAndValues(text));
  for (auto& [name, value] : pairs) runtime->labels[name] = std::move(value);
  return absl::OkStatus();
}

absl::Status Apply(const std::string& instruction, std::string_view text, RuntimeConfig* runtime) {
  if (instruction == "CMD") {
    ASSIGN_OR_RETURN(runtime->command, CommandLine(text));
  } else if (instruction == "ENTRYPOINT") {
    ASSIGN_OR_RETURN(runtime->entrypoint, CommandLine(text));
  } else if (instruction == "ENV") {
    return SetEnvironment(text, runtime);
  } else if (instruction == "EXPOSE") {
    ASSIGN_OR_RETURN(const std::vector<std::string> ports, Words(text));
    for (const std::string& port : ports) RETURN_IF_ERROR(Expose(port, runtime));
  } else if (instruction == "LABEL") {
    return SetLabels(text, runtime);
  } else if (instruction == "STOPSIGNAL") {
    ASSIGN_OR_RETURN(std::string signal, OneWord(text));
    if (!IsSignal(signal)) return absl::InvalidArgumentError("takes a signal, such as SIGTERM");
    runtime->stop_signal = std::move(signal);
  } else if (instruction == "USER") {
    ASSIGN_OR_RETURN(runtime->user, OneWord(text));
  } else if (instruction == "VOLUME") {
    return AddVolumes(text, runtime);
  } else if (instruction == "WORKDIR") {
    ASSIGN_OR_RETURN(const std::string path, OneWord(text));
    runtime->working_directory = CleanPath(runtime->working_directory, path);
  } else {
    return absl::InvalidArgumentError(
        "a change is one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and "
        "WORKDIR, as in a Dockerfile");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyChange(std::string_view change, RuntimeConfig* runtime) {
  const std::string_view whole = Trim(change);
  const size_t end = std::min(whole.find_first_of(kBlanks), whole.size());
  const std::string instruction = Upper(whole.substr(0, end));
  const std::string_view text = Trim(whole.substr(end));
  if (text.empty()) {
    return absl::InvalidArgumentError(
        StrCat("the change \"", whole, "\" has an instruction and nothing after it"));
  }
  return Annotate(Apply(instruction, text, runtime), instruction);
}

}  // namespace varve
