#include "client/cli/help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <numeric>
#include <sstream>

#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kTextColumn = 24;
std::string UpperCase(std::string_view text) {
  std::string upper;
  for (const char c : text) upper.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  return upper;
}

// `text` after what `line` begins with, folded at word boundaries, further lines indented.
void AppendFolded(std::string line, size_t indent, const std::string& text, std::string* out) {
  std::istringstream words(text);
  bool first = true;
  for (std::string word; words >> word; first = false) {
    if (!first && line.size() + 1 + word.size() > kColumns) {
      out->append(line).push_back('\n');
      line.assign(indent, ' ');
      first = true;
    }
    line.append(first ? "" : " ").append(word);
  }
  out->append(line).push_back('\n');
}

// "  name          text", the text in its column.
void AppendEntry(const HelpEntry& entry, std::string* out) {
  std::string line = "  " + entry.name;
  if (line.size() + 2 > kTextColumn) {
    out->append(line).push_back('\n');
    line.clear();
  }
  line.resize(kTextColumn, ' ');
  AppendFolded(line, kTextColumn, entry.text, out);
}

void AppendSection(std::string_view title, const std::vector<HelpEntry>& entries,
                   std::string* out) {
  if (entries.empty()) return;
  out->append(StrCat("\n", title, ":\n"));
  for (const HelpEntry& entry : entries) AppendEntry(entry, out);
}

// Examples are read line by line, so each is one line under its explanation.
void AppendExamples(const std::vector<HelpEntry>& examples, std::string* out) {
  if (examples.empty()) return;
  out->append("\nExamples:\n");
  for (const HelpEntry& example : examples) {
    out->append(StrCat("  # ", example.text, "\n  ", example.name, "\n"));
  }
}

void AppendAliases(const CLI::App& command, std::string* out) {
  if (command.get_aliases().empty()) return;
  out->append("\nAliases:\n");
  const std::string group = CommandPath(*command.get_parent());
  for (const std::string& alias : command.get_aliases()) {
    out->append(StrCat("  ", group, " ", alias, "\n"));
  }
}

std::vector<HelpEntry> Entries(const std::vector<const CLI::Option*>& options) {
  std::vector<HelpEntry> entries;
  for (const CLI::Option* option : options) entries.push_back(OptionEntry(*option));
  return entries;
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string /*name*/,
                        CLI::AppFormatMode /*mode*/) const override {
    std::string text;
    AppendFolded("", 0, app->get_description(), &text);
    text.append(StrCat("\nUsage: ", UsageLine(*app), "\n"));
    AppendAliases(*app, &text);
    std::vector<std::string> groups;
    for (const CLI::App* command : Subcommands(*app)) {
      if (std::find(groups.begin(), groups.end(), command->get_group()) == groups.end()) {
        groups.push_back(command->get_group());
      }
    }
    for (const std::string& group : groups) {
      std::vector<HelpEntry> commands;
      for (const CLI::App* command : Subcommands(*app)) {
        if (command->get_group() != group) continue;
        commands.push_back({command->get_name(), command->get_description()});
      }
      AppendSection(group, commands, &text);
    }
    AppendSection("Arguments", Entries(Operands(*app)), &text);
    AppendSection("Options", Entries(Options(*app)), &text);
    AppendExamples(Examples(*app), &text);
    if (app->get_parent() == nullptr) {
      AppendSection("Environment", EnvironmentEntries(), &text);
      AppendSection("Exit codes", ExitCodeEntries(), &text);
      text.append("\nMore about a command: varve COMMAND --help\n");
    }
    return text;
  }
};

// How many characters to add, drop, replace or swap with their neighbour.
size_t EditDistance(std::string_view from, std::string_view to) {
  std::vector<std::vector<size_t>> steps(from.size() + 1, std::vector<size_t>(to.size() + 1));
  std::iota(steps[0].begin(), steps[0].end(), size_t{0});
  for (size_t i = 1; i <= from.size(); ++i) {
    steps[i][0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t replaced = steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      steps[i][j] = std::min({steps[i][j - 1] + 1, steps[i - 1][j] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
      }
    }
  }
  return steps[from.size()][to.size()];
}

std::string Unknown(std::string_view what, const std::string& word,
                    const std::vector<std::string>& candidates) {
  const std::string nearest = NearestWord(word, candidates);
  return StrCat("there is no ", what, " \"", word, "\"",
                nearest.empty() ? "" : StrCat("; did you mean ", nearest, "?"));
}

// In place of a command of `group`.
std::string UnknownCommand(const CLI::App& group, const std::string& word) {
  std::vector<std::string> candidates;
  for (const CLI::App* inner : Subcommands(group)) candidates.push_back(inner->get_name());
  return Unknown("command", word, candidates);
}

}  // namespace

void SetHelpForm(CLI::App& app) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_help_ptr()->description("Print this help");
}

std::string CommandPath(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return StrCat(CommandPath(*command.get_parent()), " ", command.get_name());
}

std::string UsageLine(const CLI::App& command) {
  std::string line = CommandPath(command);
  if (!Options(command).empty()) line.append(" [OPTIONS]");
  if (!Subcommands(command).empty()) line.append(" COMMAND");
  for (const CLI::Option* operand : Operands(command)) {
    const std::string name = OptionEntry(*operand).name;
    line.append(operand->get_required() ? StrCat(" ", name) : StrCat(" [", name, "]"));
  }
  return line;
}

std::vector<const CLI::App*> Subcommands(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* inner) { return !inner->get_group().empty(); });
}

std::vector<const CLI::Option*> Operands(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::vector<const CLI::Option*> Options(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) {
    return option->nonpositional() && !option->get_group().empty();
  });
}

std::string ValueName(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  if (option.get_positional()) return option.get_name(true);
  const std::string type = option.get_type_name();
  // CLI11 names most types "TEXT", which says less than the name of the option.
  if (type != "TEXT" && !type.empty()) return type;
  const std::vector<std::string>& names = option.get_lnames();
  return names.empty() ? "VALUE" : UpperCase(names[0]);
}

HelpEntry OptionEntry(const CLI::Option& option) {
  const bool repeated = option.get_items_expected_max() > 1;
  if (option.get_positional()) {
    return {ValueName(option) + (repeated ? "..." : ""), option.get_description()};
  }
  std::string name;
  for (const std::string& letter : option.get_snames()) name.append("-").append(letter);
  for (const std::string& word : option.get_lnames()) {
    name.append(name.empty() ? "--" : ", --").append(word);
  }
  const std::string value = ValueName(option);
  if (!value.empty()) name.append(" ").append(value);
  std::string text = option.get_description();
  const std::string default_value = option.get_default_str();
  if (!default_value.empty()) text.append(StrCat(" (default: ", default_value, ")"));
  return {name, text};
}

std::vector<HelpEntry> Examples(const CLI::App& command) {
  if (command.get_parent() == nullptr) {
    return {{"docker save app:v1 | varve load", "Take over an image from Docker"},
            {"varve images", "List what is there"}};
  }
  std::string path = CommandPath(command);
  path.erase(0, path.find(' ') + 1);
  for (const CommandGroup& group : AllCommands()) {
    for (const Command& one : group.commands) {
      const std::string full = group.name.empty() ? one.name : StrCat(group.name, " ", one.name);
      if (path == full || std::find(one.short_forms.begin(), one.short_forms.end(), path) !=
                              one.short_forms.end()) {
        return one.examples;
      }
    }
  }
  return {};
}

const std::vector<HelpEntry>& EnvironmentEntries() {
  static const auto& entries = *new std::vector<HelpEntry>{
      {"VARVE_ADDRESS", "The daemon to talk to, when --address does not say."},
  };
  return entries;
}

const std::vector<HelpEntry>& ExitCodeEntries() {
  static const auto& entries = *new std::vector<HelpEntry>{
      {"0", "Done."},
      {"1", "Failed; the reason is on standard error."},
      {"2", "Wrong usage; nothing was done."},
      {"3", "Corruption found: bytes are not what they were, or fsck has findings."},
      {"130", "Interrupted with Ctrl-C; an upload says how it goes on."},
  };
  return entries;
}

std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kMaxWord = 40;
  if (word.size() > kMaxWord) return "";
  // A slip or two, but not a different word; of two that are as near, the one of the same length.
  size_t nearest = 2 * std::min<size_t>(3, word.size() / 2 + 1);
  std::string found;
  for (const std::string& candidate : candidates) {
    const size_t distance =
        2 * EditDistance(word, candidate) + (word.size() == candidate.size() ? 0 : 1);
    if (distance < nearest || (found.empty() && word.size() > 1 && candidate.find(word) == 0)) {
      nearest = std::min(nearest, distance);
      found = candidate;
    }
  }
  return found;
}

const CLI::App& ChosenCommand(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return *command;
}

// CLI11's own help() goes on to the command that was chosen.
std::string HelpText(const CLI::App& command) {
  return command.get_formatter()->make_help(&command, "", CLI::AppFormatMode::Normal);
}

std::string ExplainUnknown(const CLI::App& app, const std::string& word) {
  // Where the parser had got to: options are looked up there and, as a last resort, at the root.
  const CLI::App* const command = &ChosenCommand(app);
  const bool is_option = word.rfind('-', 0) == 0;
  std::vector<std::string> candidates;
  if (is_option) {
    for (const CLI::App* place : {command, &app}) {
      for (const CLI::Option* option : Options(*place)) {
        for (const std::string& name : option->get_lnames()) candidates.push_back("--" + name);
      }
    }
    return Unknown("option", word, candidates);
  }
  if (Subcommands(*command).empty()) {
    return StrCat(CommandPath(*command), " does not take \"", word, "\"");
  }
  return UnknownCommand(*command, word);
}

namespace {

void SetUpHelp(CLI::App& command, Session& session) {
  auto words = std::make_shared<std::vector<std::string>>();
  command.add_option("COMMAND", *words, "The words of the command (default: all of varve)");
  command.callback([&command, &session, words] {
    const CLI::App* explained = command.get_parent();
    for (const std::string& word : *words) {
      const std::vector<const CLI::App*> inner = explained->get_subcommands(
          [&word](const CLI::App* one) { return one->check_name(word); });
      if (inner.empty()) throw CLI::ValidationError(UnknownCommand(*explained, word));
      explained = inner[0];
    }
    session.action = [explained] {
      Print(HelpText(*explained));
      return absl::OkStatus();
    };
  });
}

}  // namespace

CommandGroup HelpCommand() {
  return {.commands = {{.name = "help",
                        .help = "Explain a command, as its --help does",
                        .examples = {{"varve help image ls", "The same as varve image ls --help"}},
                        .set_up = SetUpHelp}}};
}

}  // namespace varve
