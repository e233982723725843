import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The API of the running stack; `cargo dev console develop` sets it.
const api = process.env.API_URL ?? "http://127.0.0.1:17400";

export default defineConfig({
    base: "/console/",
    plugins: [react()],
    build: {
        target: "es2023",
        assetsDir: "files",
        // The policy of the page permits no data in addresses.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
    },
    server: { port: 5173, strictPort: false, proxy: { "/api": api, "/.well-known": api } },
    preview: { port: 4173, proxy: { "/api": api, "/.well-known": api } },
});
