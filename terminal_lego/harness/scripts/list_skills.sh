# Each skill of the folder $skills in two lines: its file, and the file's content in base64.
exec 2>/dev/null
find "$skills" -mindepth 2 -maxdepth 2 -name SKILL.md -type f | sort | while IFS= read -r file; do
    printf '%s\n' "$file"
    base64 < "$file" | tr -d '\n'
    echo
done
