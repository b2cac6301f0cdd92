// --format as Docker's users know it, and templates that nobody should write.
#include "client/cli/format_template.h"
#include "client/cli/inspect_value.h"
#include "gmock/gmock.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

FormatValue Row() {
  return FormatValue::Object({{"Empty", FormatValue::ListOf({})},
                              {"ID", "sha256:0123456789abcdef"},
                              {"Labels", FormatValue::Map({{"a.b", "dotted"}, {"team", "Core"}})},
                              {"Nothing", FormatValue()},
                              {"Platform", FormatValue::Object({{"OS", "linux"}, {"Variant", ""}})},
                              {"Size", FormatValue::Number(1234)},
                              {"Tags", FormatValue::ListOf({"v1", "v2"})},
                              {"Used", FormatValue::Boolean(true)}});
}

std::string Render(std::string_view text) {
  const absl::StatusOr<FormatTemplate> parsed = FormatTemplate::Parse(text);
  if (!parsed.ok()) return std::string(parsed.status().message());
  const absl::StatusOr<std::string> rendered = parsed->Render(Row());
  return rendered.ok() ? *rendered : std::string(rendered.status().message());
}

TEST(FormatTemplateTest, FieldsAndText) {
  EXPECT_EQ(Render("{{.ID}}: {{ .Size }} {{.Used}}"), "sha256:0123456789abcdef: 1234 true");
  EXPECT_EQ(Render("{{.Platform.OS}}/{{.Labels.team}}"), "linux/Core");
  EXPECT_EQ(Render("{{.Labels.absent}} {{.Nothing}} {{.Nothing.More}}"),
            "<no value> <no value> <no value>");
  EXPECT_EQ(Render("{{.Tags}} {{.Labels}} {{.Platform}}"),
            "[v1 v2] map[a.b:dotted team:Core] {linux }");
  EXPECT_EQ(Render("no action } }} {"), "no action } }} {");
  EXPECT_EQ(Render(""), "");
}

TEST(FormatTemplateTest, EscapesStandForCharactersOutsideActions) {
  EXPECT_EQ(Render(R"(a\tb\nc\d)"), "a\tb\nc\\d");
  EXPECT_EQ(Render(R"({{"a\tb\"\\"}}{{`c\t`}})"), "a\tb\"\\c\\t");
}

TEST(FormatTemplateTest, Json) {
  EXPECT_EQ(Render("{{json .Labels}}"), R"({"a.b":"dotted","team":"Core"})");
  EXPECT_EQ(Render("{{.Tags | json}}"), R"(["v1","v2"])");
  EXPECT_EQ(Render("{{json .}}"),
            R"({"Empty":[],"ID":"sha256:0123456789abcdef",)"
            R"("Labels":{"a.b":"dotted","team":"Core"},"Nothing":null,)"
            R"("Platform":{"OS":"linux","Variant":""},"Size":1234,"Tags":["v1","v2"],)"
            R"("Used":true})");
}

TEST(FormatTemplateTest, Functions) {
  EXPECT_EQ(Render("{{upper .Platform.OS}} {{lower .Labels.team}} {{title \"two words\"}}"),
            "LINUX core Two Words");
  EXPECT_EQ(Render("{{len .ID}} {{len .Tags}} {{len .Labels}} {{len .Nothing}}"), "23 2 2 0");
  EXPECT_EQ(Render("{{join .Tags \", \"}}|{{join .Empty \",\"}}|{{join .Nothing \",\"}}"),
            "v1, v2||");
  EXPECT_EQ(Render("{{split \"a:b:\" \":\" | json}}"), R"(["a","b",""])");
  EXPECT_EQ(Render("{{index (split .ID \":\") 0}} {{index .Labels \"a.b\"}}"), "sha256 dotted");
  EXPECT_EQ(Render("{{truncate .ID 10}} {{truncate .Platform.OS 99}}"), "sha256:012 linux");
  EXPECT_EQ(Render("{{slice .ID 7 19}} {{slice .Tags 1}} {{slice .ID 20}}"),
            "0123456789ab [v2] def");
  EXPECT_EQ(Render("{{println .Size .Used}}{{print .Size .Used}}{{println}}"),
            "1234 true\n1234true\n");
  EXPECT_EQ(Render("{{eq .Size 1234}} {{ne .ID \"x\"}} {{not .Used}} {{and .Used .Size}} "
                   "{{or .Nothing .Platform.Variant \"last\"}}"),
            "true true false 1234 last");
  EXPECT_EQ(Render("{{ (slice (.ID | upper) 0 3) | lower | json }}"), "\"sha\"");
}

TEST(FormatTemplateTest, Conditions) {
  EXPECT_EQ(Render("{{if .Used}}yes{{end}}{{if .Nothing}}no{{end}}"), "yes");
  EXPECT_EQ(
      Render("{{if .Empty}}1{{else if .Platform.Variant}}2{{else if .Size}}3{{else}}4{{end}}"),
      "3");
  EXPECT_EQ(Render("{{if .Empty}}1{{else}}{{if .Size}}{{.Size}}{{end}}{{end}}."), "1234.");
}

TEST(FormatTemplateTest, Ranges) {
  EXPECT_EQ(Render("{{range .Tags}}<{{.}} of {{$.Platform.OS}}>{{end}}"),
            "<v1 of linux><v2 of linux>");
  EXPECT_EQ(Render("{{range .Labels}}{{.}};{{end}}"), "dotted;Core;");
  EXPECT_EQ(Render("{{range .Empty}}x{{else}}none{{end}}{{range .Nothing}}x{{end}}"), "none");
}

TEST(FormatTemplateTest, With) {
  EXPECT_EQ(Render("{{with .Platform}}{{.OS}} {{$.Size}}{{end}}"), "linux 1234");
  EXPECT_EQ(Render("{{with .Nothing}}x{{else}}{{.Size}}{{end}}"), "1234");
  EXPECT_EQ(Render("{{with .Nothing}}x{{else with .Tags}}{{len .}}{{else}}y{{end}}"), "2");
  EXPECT_EQ(Render("{{with .Nothing}}x{{else if .Used}}{{.Size}}{{end}}"), "1234");
  EXPECT_EQ(Render("{{with $x := .Platform.OS}}{{$x}} {{.}}{{end}}"), "linux linux");
  EXPECT_EQ(Render("{{range .Tags}}{{with $.Labels}}{{.team}}{{end}}{{.}} {{end}}"),
            "Corev1 Corev2 ");
}

TEST(FormatTemplateTest, Variables) {
  EXPECT_EQ(Render("{{$x := .Size}}{{$y:=upper .Platform.OS}}{{$y}}={{$x}}"), "LINUX=1234");
  EXPECT_EQ(Render("{{$p := .Platform}}{{$p.OS}} {{$ | len}}"), "linux 8");
  EXPECT_EQ(Render("{{$n := 0}}{{range .Tags}}{{$n = .}}{{end}}{{$n}}"), "v2");
  EXPECT_EQ(Render("{{$n := 1}}{{if .Used}}{{$n := 2}}{{$n}}{{end}}{{$n}}"), "21");
  EXPECT_EQ(Render("{{if $x := .Nothing}}a{{else}}{{$x}}{{end}}"), "<no value>");
  EXPECT_EQ(Render("{{range $tag := .Tags}}{{$tag}};{{end}}"), "v1;v2;");
  EXPECT_EQ(Render("{{range $i, $tag := .Tags}}{{if $i}}, {{end}}{{$i}}:{{$tag}}{{end}}"),
            "0:v1, 1:v2");
  EXPECT_EQ(Render("{{range $key, $value := .Labels}}{{$key}}={{$value}} {{end}}"),
            "a.b=dotted team=Core ");
  EXPECT_EQ(Render("{{range $i, $tag := .Empty}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(Render("{{range .Tags}}{{.}}{{break}}{{end}}|{{range .Tags}}{{if eq . \"v1\"}}"
                   "{{continue}}{{end}}{{.}}{{end}}"),
            "v1|v2");
}

TEST(FormatTemplateTest, Printf) {
  EXPECT_EQ(Render("{{printf \"%s has %d tags, %v, %t\" .Platform.OS (len .Tags) .Tags .Used}}"),
            "linux has 2 tags, [v1 v2], true");
  EXPECT_EQ(Render("{{printf \"%-8s|%8s|%.3s|%q\" .Platform.OS .Platform.OS .ID .Platform.OS}}"),
            "linux   |   linux|sha|\"linux\"");
  EXPECT_EQ(Render("{{printf \"%06d|%+d|%-6d|%x|%X|%#x|%o|%b|%c\" .Size .Size .Size .Size .Size "
                   ".Size 8 5 65}}"),
            "001234|+1234|1234  |4d2|4D2|0x4d2|10|101|A");
  EXPECT_EQ(Render("{{printf \"%.1f|%6.2f|100%%|%x\" .Size 1 \"hi\"}}"), "1234.0|  1.00|100%|6869");
  EXPECT_EQ(Render("{{printf \"%*d\" 6 .Size}}|{{.Size | printf \"%5d\"}}"), "  1234| 1234");
  EXPECT_EQ(Render("{{printf \"%4s|%.2s\" \"\u00f6\" \"\u00f6\u00f6\u00f6\"}}"),
            "   \u00f6|\u00f6\u00f6");
  EXPECT_EQ(Render("{{printf \"%d\" -9223372036854775808}}"), "-9223372036854775808");
  for (const char* mistake :
       {"{{printf \"%d\" .ID}}", "{{printf \"%s\"}}", "{{printf \"x\" 1}}", "{{printf \"%z\" 1}}",
        "{{printf \"%\" 1}}", "{{printf \"%9999999999d\" 1}}", "{{printf \"%.2000f\" 1}}",
        "{{printf 1}}", "{{printf \"%t\" 1}}", "{{printf \"%*d\" .ID 1}}"}) {
    EXPECT_THAT(Render(mistake), StartsWith("--format, character 3: printf ")) << mistake;
  }
}

TEST(FormatTemplateTest, PadAndComparisons) {
  EXPECT_EQ(Render("[{{pad .Platform.OS 2 3}}][{{pad .Platform.Variant 2 3}}]"), "[  linux   ][]");
  EXPECT_THAT(Render("{{pad .ID 1 99999999999}}"), HasSubstr("too much text"));
  EXPECT_EQ(Render("{{lt 1 2}} {{le 2 2}} {{gt .Size 99}} {{ge \"a\" \"b\"}}"),
            "true true true false");
  EXPECT_THAT(Render("{{lt .Size \"9\"}}"), HasSubstr("two numbers or two texts"));
}

TEST(FormatTemplateTest, CommentsAndTrimming) {
  EXPECT_EQ(Render("a {{- /* why */ -}} b"), "ab");
  EXPECT_EQ(Render("a  {{- .Size -}}\n b {{.Size}} c"), "a1234b 1234 c");
}

TEST(FormatTemplateTest, MistakesAreNamedWithTheirPlace) {
  EXPECT_EQ(Render("ab{{.Sise}}"),
            "--format, character 5: there is no field .Sise; the fields are .Empty, .ID, .Labels, "
            ".Nothing, .Platform, .Size, .Tags, .Used");
  EXPECT_THAT(Render("{{.Platform.Arch}}"), HasSubstr("the fields are .OS, .Variant"));
  EXPECT_THAT(Render("{{.ID.Short}}"), HasSubstr(".Short is asked of what has no fields"));
  EXPECT_THAT(
      Render("{{bogus .ID}}"),
      StartsWith("--format, character 3: there is no function bogus; the functions are and,"));
  EXPECT_EQ(Render("{{join .ID}}"), "--format, character 3: join does not take 1 values");
  EXPECT_EQ(Render("{{slice .ID 3 99}}"),
            "--format, character 3: slice goes beyond the 23 there are");
  EXPECT_THAT(Render("{{slice .ID -1}}"), HasSubstr("not negative"));
  EXPECT_THAT(Render("{{range .Size}}{{end}}"), HasSubstr("range needs a list or a map"));
  const std::pair<const char*, const char*> cases[] = {
      {"{{", "a value is missing"},
      {"{{.ID", "not closed"},
      {"{{.ID }", "this is not a value"},
      {"{{}}", "a value is missing"},
      {"{{.ID .Size}}", "only a function"},
      {"{{.ID | .Size}}", "through |"},
      {"{{.ID |}}", "a value is missing"},
      {"{{(.ID}}", ") is missing"},
      {"{{.ID)}}", "}} is missing"},
      {"{{\"a}}", "not closed"},
      {"{{\"\\x\"}}", "only \\n"},
      {"{{99999999999999999999}}", "64 bits"},
      {"{{-}}", "a value is missing"},
      {"{{$x}}", "there is no variable $x"},
      {"{{$x = 1}}", "there is no variable $x"},
      {"{{$x := $x}}", "there is no variable $x"},
      {"{{$ := 1}}", "the name of a variable"},
      {"{{$x := }}", "a value is missing"},
      {"{{if $x := 1}}{{end}}{{$x}}", "there is no variable $x"},
      {"{{range $x := .Tags}}{{else}}{{end}}{{$x}}", "there is no variable $x"},
      {"{{$a, $b := .Tags}}", "there is no variable $a"},
      {"{{break}}", "break is for a range"},
      {"{{if .ID}}{{continue}}{{end}}", "continue is for a range"},
      {"{{with .ID}}x", "{{end}} is missing"},
      {"{{$.}}", "the name of a field"},
      {"{{.ID.}}", "the name of a field"},
      {"{{..}}", "a space is missing"},
      {"{{.ID\"x\"}}", "a space is missing"},
      {"{{end}}", "nothing open"},
      {"{{else}}", "nothing open"},
      {"{{if .ID}}x", "{{end}} is missing"},
      {"{{if .ID}}x{{else}}y", "{{end}} is missing"},
      {"{{if .ID}}x{{else}}y{{else}}z{{end}}", "{{end}} is missing"},
      {"{{if}}{{end}}", "a value is missing"},
      {"{{else range}}", "only if or with may follow"},
      {"{{/* x", "comment"},
      {"{{template \"x\"}}", "no function template"},
      {"{{json upper}}", "a function stands first"},
  };
  for (const auto& [text, part] : cases) {
    EXPECT_THAT(Render(text), testing::AllOf(StartsWith("--format, character "), HasSubstr(part)))
        << text;
  }
}

TEST(FormatTemplateTest, FieldsThatRowsLackAreRefusedBeforeAnyRow) {
  const std::vector<std::string> fields = {"ID", "Tags"};
  EXPECT_TRUE(FormatTemplate::Parse("{{.ID}}{{range .Tags}}{{.Name}}{{end}}", fields).ok());
  EXPECT_FALSE(FormatTemplate::Parse("{{.Name}}", fields).ok());
  EXPECT_FALSE(FormatTemplate::Parse("{{if .ID}}{{else}}{{.Name}}{{end}}", fields).ok());
  EXPECT_FALSE(FormatTemplate::Parse("{{range .Tags}}{{$.Name}}{{end}}", fields).ok());
  EXPECT_FALSE(FormatTemplate::Parse("{{range .Tags}}{{end}}{{json (upper .Name)}}", fields).ok());
  EXPECT_TRUE(FormatTemplate::Parse("{{with .ID}}{{.Name}}{{end}}", fields).ok());
  EXPECT_FALSE(FormatTemplate::Parse("{{with .ID}}{{else}}{{.Name}}{{end}}", fields).ok());
  EXPECT_TRUE(FormatTemplate::Parse("{{$x := .ID}}{{$x.Name}}", fields).ok());
}

TEST(InspectValueTest, OnlyWhatComesFromOutsideMayBeUnknown) {
  const absl::StatusOr<FormatValue> value =
      InspectValue(R"({"Id":"sha256:1","Config":{"User":"me","Labels":{"a":"b"}},)"
                   R"("RootFS":{"Type":"layers","Layers":["x"]},"Manifests":[{"Digest":"d"}]})");
  ASSERT_TRUE(value.ok()) << value.status();
  const auto render = [&](std::string_view text) {
    const absl::StatusOr<FormatTemplate> parsed = FormatTemplate::Parse(text);
    const absl::StatusOr<std::string> rendered =
        parsed.ok() ? parsed->Render(*value) : parsed.status();
    return rendered.ok() ? *rendered : std::string(rendered.status().message());
  };
  EXPECT_EQ(render("{{.Id}} {{.Config.User}} {{.Config.Labels.a}} {{.RootFS.Type}}"),
            "sha256:1 me b layers");
  EXPECT_EQ(render("{{.Config.Labels.c}} {{.Config.Healthcheck}} {{.GraphDriver}} {{.Os}}"),
            "<no value> <no value> <no value> <no value>");
  EXPECT_EQ(render("{{json .Config}}"), R"({"User":"me","Labels":{"a":"b"}})");
  for (const char* field :
       {"{{.ID}}", "{{.Config.user}}", "{{.RootFS.Size}}", "{{range .Manifests}}{{.Bogus}}{{end}}",
        "{{with .Config}}{{.Bogus}}{{end}}", "{{$c := .Config}}{{$c.Bogus}}"}) {
    EXPECT_THAT(render(field), HasSubstr("there is no field .")) << field;
  }
}

std::string Repeat(const std::string& text, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated.append(text);
  return repeated;
}

TEST(FormatTemplateTest, NestingTimeAndOutputAreBounded) {
  EXPECT_THAT(Render(Repeat("{{if .ID}}", 5000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(Render(Repeat("{{if .Nothing}}{{else ", 3000)), StartsWith("--format"));
  EXPECT_THAT(Render("{{if .Nothing}}" + Repeat("{{else if .Nothing}}", 3000) + "{{end}}"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(Render("{{" + Repeat("(", 5000)), HasSubstr("nested too deeply"));
  EXPECT_THAT(Render(std::string(100'000, 'x')), HasSubstr("too long"));
  EXPECT_EQ(Render("{{if .ID}}" + Repeat("{{if .ID}}", 20) + "x" + Repeat("{{end}}", 21)), "x");
  const std::string ranges = Repeat("{{range $.Tags}}", 30);
  EXPECT_THAT(Render(ranges + Repeat("{{end}}", 30)), HasSubstr("takes too long"));
  // A text that grows a thousandfold at every step.
  std::string growing = "\"" + Repeat("a,", 1000) + "\"";
  for (int i = 0; i < 20; ++i)
    growing = "(join (split " + growing + " \",\") \"" + Repeat("b,", 500) + "\")";
  EXPECT_THAT(Render("{{" + growing + "}}"), StartsWith("--format"));
  EXPECT_THAT(Render(Repeat("{{json .}}", 6000)).size(), testing::Lt(size_t{17} << 20));
}

TEST(FormatTemplateTest, OddBytesDoNoHarm) {
  EXPECT_THAT(Render(std::string("{{\0}}", 5)), StartsWith("--format"));
  EXPECT_THAT(Render("{{\xff\xfe}}"), StartsWith("--format"));
  EXPECT_THAT(Render("{{.\xc3\xb6}}"), StartsWith("--format"));
  EXPECT_EQ(Render("\xff\xc3{"), "\xff\xc3{");
}

const std::vector<FormatColumn> kColumns = {
    {"ID", "IMAGE ID"}, {"Repository", "REPOSITORY"}, {"Tags", "TAGS"}};

std::string List(std::string_view format) {
  absl::StatusOr<FormattedListing> listing =
      FormattedListing::Create(format, kColumns, "{{.Repository}}\t{{.ID}}");
  if (!listing.ok()) return std::string(listing.status().message());
  const auto row = [](const char* id, const char* repository) {
    return FormatValue::Object(
        {{"ID", id}, {"Repository", repository}, {"Tags", FormatValue::ListOf({"v1"})}});
  };
  const std::vector<FormatValue> first = {row("1", "app")};
  const std::vector<FormatValue> second = {row("2", "b")};
  std::string text = *listing->Format(first);
  return text.append(*listing->Format(second));
}

TEST(FormattedListingTest, Tables) {
  const std::string table =
      "REPOSITORY   IMAGE ID\n"
      "app          1\n"
      "b            2\n";
  EXPECT_EQ(List(""), table);
  EXPECT_EQ(List("table"), table);
  EXPECT_EQ(List("table "), table);
  EXPECT_EQ(List(R"(table {{.ID}}\t{{upper .Repository}})"),
            "IMAGE ID   REPOSITORY\n"
            "1          APP\n"
            "2          B\n");
  EXPECT_EQ(List("table {{.ID}}{{if eq .ID \"2\"}}\t{{join .Tags \",\"}}\tx{{end}}"),
            "IMAGE ID   TAGS      x\n"
            "1\n"
            "2          v1        x\n");
  EXPECT_EQ(List("table {{truncate .ID 3}}\t{{range .Tags}}{{.}}{{end}}\t{{json .Repository}}"),
            "IMAGE ID   TAGS      REPOSITORY\n"
            "1          v1        \"app\"\n"
            "2          v1        \"b\"\n");
}

TEST(FormattedListingTest, FunctionsThatMakeTextMakeHeadsToo) {
  EXPECT_EQ(List("table {{printf \"%s:%s\" .Repository .ID}}\t{{print .ID \"-\" .ID}}"),
            "REPOSITORY:IMAGE ID   IMAGE ID-IMAGE ID\n"
            "app:1                 1-1\n"
            "b:2                   2-2\n");
  EXPECT_EQ(
      List("table {{printf \"%d\" (len .ID)}}\t{{range $i, $t := .Tags}}{{pad $t 1 1}}{{end}}"),
      "IMAGE ID   TAGS\n"
      "1           v1 \n"
      "1           v1 \n");
  EXPECT_EQ(List("table {{$x := .ID}}{{with .Repository}}{{.}}{{$x}}{{end}}"),
            "REPOSITORYIMAGE ID\n"
            "app1\n"
            "b2\n");
}

TEST(FormattedListingTest, LinesAndJson) {
  EXPECT_EQ(List("{{.Repository}}:{{.ID}}"), "app:1\nb:2\n");
  EXPECT_EQ(List("tables {{.ID}}"), "tables 1\ntables 2\n");
  EXPECT_EQ(List("json"),
            "{\"ID\":\"1\",\"Repository\":\"app\",\"Tags\":[\"v1\"]}\n"
            "{\"ID\":\"2\",\"Repository\":\"b\",\"Tags\":[\"v1\"]}\n");
  EXPECT_THAT(List("{{.Repo}}"), HasSubstr("the fields are .ID, .Repository, .Tags"));
  EXPECT_THAT(List("table {{.Repo}}"), HasSubstr("there is no field .Repo"));
}

}  // namespace
}  // namespace varve
