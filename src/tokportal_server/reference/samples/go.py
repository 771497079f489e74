"""Samples for Go: a whole program on net/http, laid out as gofmt does."""

from __future__ import annotations

from tokportal_server.reference.samples.literal import Style, literal, quoted
from tokportal_server.reference.samples.request import Part, SampleRequest, Variable, part_of

# The body is one raw string, interrupted where the environment is read.
_RAW_JSON = Style(
    variable=lambda name: f'"` + os.Getenv("{name}") + `"', trailing_comma="", indent="  "
)


def go_sample(request: SampleRequest) -> str:
    """Write the call; it prints status and answer, and stops with a log line if nobody answers."""
    imports = {"fmt", "io", "log", "net/http", "os"}
    body, before, content_type = "nil", list[str](), list[str]()
    if request.example.body is not None:
        imports.add("strings")
        before = [f"body := strings.NewReader(`{literal(request.example.body, _RAW_JSON)}`)"]
        body = "body"
    elif request.example.file is not None:
        imports |= {"bytes", "mime/multipart", "path/filepath"}
        before, body = _form(request, request.example.file), "&body"
        content_type = ['request.Header.Set("Content-Type", form.FormDataContentType())']
    lines = [
        *before,
        "url := " + " + ".join(_value(part) for part in request.address),
        f'request, err := http.NewRequest("{request.operation.method}", url, {body})',
        *_stop_on_error(),
        *(f'request.Header.Set("{n}", {_value(v)})' for n, v in request.headers.items()),
        *content_type,
        "response, err := http.DefaultClient.Do(request)",
        *_stop_on_error(),
        "defer response.Body.Close()",
        "answer, err := io.ReadAll(response.Body)",
        *_stop_on_error(),
        "fmt.Println(response.Status, string(answer))",
    ]
    imported = [f'\t"{name}"' for name in sorted(imports)]
    code = ["\t" + line for line in lines]
    return "\n".join(
        ["package main", "", "import (", *imported, ")", "", "func main() {", *code, "}"]
    )


def _form(request: SampleRequest, file: str) -> list[str]:
    fields = request.example.fields.items()
    return [
        f"file, err := os.Open({quoted(file)})",
        *_stop_on_error(),
        "defer file.Close()",
        "var body bytes.Buffer",
        "form := multipart.NewWriter(&body)",
        *(f"form.WriteField({quoted(key)}, {_value(part_of(v))})" for key, v in fields),
        'part, err := form.CreateFormFile("file", filepath.Base(file.Name()))',
        *_stop_on_error(),
        "if _, err := io.Copy(part, file); err != nil {",
        "\tlog.Fatal(err)",
        "}",
        "form.Close()",
    ]


def _stop_on_error() -> list[str]:
    return ["if err != nil {", "\tlog.Fatal(err)", "}"]


def _value(part: Part) -> str:
    if isinstance(part, Variable):
        return f'os.Getenv("{part.name}")'
    return quoted(part)
